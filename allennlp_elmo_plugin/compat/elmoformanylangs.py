"""
`Embedder` of ELMoForManyLangs.
"""

import os
from typing import List, Sequence, Union

import numpy
import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.embedder.initial_state.base import InitialState
from allennlp_elmo_plugin.extraction.extractor import ElmoExtractor
from allennlp_elmo_plugin.extraction.models import load_elmo

__all__ = ["Embedder"]

AVERAGE, ALL = -1, -2


class Embedder:
    """
    A biLM that turns sentences into NumPy arrays, with the interface of ELMoForManyLangs.

    ELMoForManyLangs carries the state from batch to batch and shuffles the batches, so a sentence
    gets other vectors each time. Here each sentence starts from zeros, as there in the first batch,
    and always gets the same vectors.

    # Parameters

    model_dir : `Union[str, PathLike]`
        The biLM: a folder, zip or tar that holds it, of ELMoForManyLangs or converted.
    batch_size : `int`, optional (default = `64`)
        The number of sentences of a batch, if the state is carried.
    initial_state : `Union[str, InitialState]`, optional (default = `"zero"`)
        The state that sentences start from, or its name. `"warm"` is nearer to the state in
        training. `"carry"` is that of ELMoForManyLangs, with batches in the order of the sentences.
    precision : `str`, optional (default = `"float32"`)
        Precision of the matrices: `"float32"`, `"bfloat16"` or `"int8"`.
    device : `Union[str, torch.device]`, optional (default = a GPU if there is one)
        The device of the biLM.

    # Raises

    `ConfigurationError`
        When a file is missing, damaged or belongs to another biLM.
    """

    def __init__(
        self,
        model_dir: Union[str, "os.PathLike[str]"],
        batch_size: int = 64,
        *,
        initial_state: Union[str, InitialState] = "zero",
        precision: str = "float32",
        device: Union[str, torch.device, None] = None,
    ) -> None:
        self.model_dir = model_dir
        self.batch_size = batch_size
        self.use_cuda = torch.cuda.is_available() if device is None else "cuda" in str(device)
        self.encoder = load_elmo(
            model_dir, precision=precision, initial_state=initial_state
        ).encoder.to(device or ("cuda" if self.use_cuda else "cpu"))

    def sents2elmo(
        self, sents: Sequence[Sequence[str]], output_layer: int = AVERAGE
    ) -> List[numpy.ndarray]:
        """
        Computes the vectors of sentences.

        # Parameters

        sents : `Sequence[Sequence[str]]`
            The tokens of each sentence.
        output_layer : `int`, optional (default = `-1`)
            The number of a layer, where 0 is the token layer; -1 is the mean of all layers, -2 all
            layers.

        # Returns

        `List[numpy.ndarray]`
            An array for each sentence, float32, of shape (tokens, dim), or (layers, tokens, dim)
            for all layers.

        # Raises

        `ConfigurationError`
            When there is no such layer, or when a token is not a text.
        """
        num_layers = self.encoder.num_representations
        if not ALL <= output_layer < num_layers:
            raise ConfigurationError(
                f"Expected 'output_layer' to be a layer from 0 to {num_layers - 1}, {AVERAGE} for "
                f"the mean or {ALL} for all layers, got {output_layer}."
            )
        layers: Union[str, int] = {AVERAGE: "average", ALL: "all"}.get(output_layer, output_layer)
        return ElmoExtractor(self.encoder, layers, batch_size=self.batch_size).embed(sents)
