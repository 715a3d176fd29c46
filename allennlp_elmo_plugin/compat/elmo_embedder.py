"""
`ElmoEmbedder` of AllenNLP 0.9, whose module `allennlp.commands.elmo` was removed in 1.0.
"""

import os
import shutil
import sys
from pathlib import Path
from typing import IO, Iterable, List, Sequence, Tuple, Union

import allennlp.commands
import numpy
import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.compat.elmo_bilm import _ElmoBiLm
from allennlp_elmo_plugin.embedder.boundaries import remove_boundaries
from allennlp_elmo_plugin.embedder.indexer import ElmoCharactersIndexer
from allennlp_elmo_plugin.embedder.initial_state.base import InitialState
from allennlp_elmo_plugin.embedder.token_embedder import PUBLISHED
from allennlp_elmo_plugin.extraction.extractor import ElmoExtractor
from allennlp_elmo_plugin.extraction.inputs.sentence_file import SentenceFile
from allennlp_elmo_plugin.extraction.job import ExtractionJob
from allennlp_elmo_plugin.extraction.models import load_elmo
from allennlp_elmo_plugin.extraction.outputs.hdf5 import Hdf5Output
from allennlp_elmo_plugin.extraction.task import ExtractionTask
from allennlp_elmo_plugin.extraction.working_folder import WorkingFolder

__all__ = [
    "DEFAULT_BATCH_SIZE",
    "DEFAULT_OPTIONS_FILE",
    "DEFAULT_WEIGHT_FILE",
    "ElmoEmbedder",
    "empty_embedding",
    "provide_module",
]

DEFAULT_OPTIONS_FILE = f"{PUBLISHED}options.json"
DEFAULT_WEIGHT_FILE = f"{PUBLISHED}weights.hdf5"
DEFAULT_BATCH_SIZE = 64

MODULE = "allennlp.commands.elmo"
OUTPUT_FORMATS = ("all", "top", "average")


def empty_embedding() -> numpy.ndarray:
    """Returns the layers of a sentence without tokens, of the published biLM: (3, 0, 1024)."""
    return numpy.zeros((3, 0, 1024))


class ElmoEmbedder:
    """
    A biLM that turns sentences into NumPy arrays, with the interface of AllenNLP 0.9.

    It gives the numbers of 0.9: the state is carried from batch to batch, so a sentence gets other
    vectors after other sentences. With another `initial_state` it gets the same ones.

    # Parameters

    options_file : `str`, optional (default = the published 2x4096_512 biLM)
        The biLM's options: a path, a URL, a folder or archive that holds them, or a name such as
        `published:original` or `pretrained:small`.
    weight_file : `str`, optional (default = the published 2x4096_512 biLM)
        The biLM's weights: the same. `allennlp elmo-models` lists the names.
    cuda_device : `int`, optional (default = `-1`)
        Number of a GPU; -1 is the CPU.
    initial_state : `Union[str, InitialState]`, optional (default = `"carry"`)
        The state that sentences start from, or its name: `"carry"`, `"warm"` or `"zero"`.
    precision : `str`, optional (default = `"float32"`)
        Precision of the matrices: `"float32"`, `"bfloat16"` or `"int8"`.

    # Raises

    `ConfigurationError`
        When a file is missing, damaged or does not fit the other.
    """

    def __init__(
        self,
        options_file: str = DEFAULT_OPTIONS_FILE,
        weight_file: str = DEFAULT_WEIGHT_FILE,
        cuda_device: int = -1,
        *,
        initial_state: Union[str, InitialState] = "carry",
        precision: str = "float32",
    ) -> None:
        encoder = load_elmo(options_file, weight_file, precision, initial_state).encoder
        self.indexer = ElmoCharactersIndexer.from_spelling(encoder.spelling)
        self.elmo_bilm = _ElmoBiLm.from_encoder(encoder)
        if cuda_device >= 0:
            self.elmo_bilm = self.elmo_bilm.to(device=cuda_device)
        self.cuda_device = cuda_device

    def batch_to_embeddings(
        self, batch: Sequence[Sequence[str]]
    ) -> Tuple[torch.Tensor, torch.Tensor]:
        """
        Computes the layers of a batch.

        # Parameters

        batch : `Sequence[Sequence[str]]`
            The tokens of each sentence. A string is a sequence of tokens of one character.

        # Returns

        `Tuple[torch.Tensor, torch.Tensor]`
            The layers, of shape (batch, layers, timesteps, dim), float32, and the mask, of shape
            (batch, timesteps), int64, 1 = token; both on the device of the biLM.
        """
        encoder = self.elmo_bilm.encoder
        character_ids = encoder.spelling.spell_sentences(batch)
        padded = encoder.make_batch(character_ids.to(next(encoder.parameters()).device))
        layers, mask = encoder(padded)
        activations = torch.stack([remove_boundaries(layer, padded) for layer in layers], dim=1)
        return activations, mask[:, 2:].long()

    def embed_sentence(self, sentence: Sequence[str]) -> numpy.ndarray:
        """
        Computes the layers of a sentence.

        # Parameters

        sentence : `Sequence[str]`
            Its tokens.

        # Returns

        `numpy.ndarray`
            Shape (layers, tokens, dim), float32.
        """
        return self.embed_batch([sentence])[0]

    def embed_batch(self, batch: Sequence[Sequence[str]]) -> List[numpy.ndarray]:
        """
        Computes the layers of the sentences of a batch.

        # Parameters

        batch : `Sequence[Sequence[str]]`
            The tokens of each sentence.

        # Returns

        `List[numpy.ndarray]`
            An array for each sentence, of shape (layers, tokens, dim), float32.
        """
        extractor = self._extractor("all", max(len(batch), 1))
        # 0.9 did not run a single empty sentence, so the state that is carried stays.
        if len(batch) == 1 and len(batch[0]) == 0:
            return [numpy.zeros((extractor.num_layers or 0, 0, extractor.dim), numpy.float32)]
        return extractor.embed(batch)

    def embed_sentences(
        self, sentences: Iterable[Sequence[str]], batch_size: int = DEFAULT_BATCH_SIZE
    ) -> Iterable[numpy.ndarray]:
        """
        Computes the layers of sentences one by one, and reads a batch at a time.

        # Parameters

        sentences : `Iterable[Sequence[str]]`
            The tokens of each sentence.
        batch_size : `int`, optional (default = `64`)
            The number of sentences of a batch, if the state is carried.

        # Returns

        `Iterable[numpy.ndarray]`
            An array for each sentence, of shape (layers, tokens, dim), float32.
        """
        return self._extractor("all", batch_size).stream(sentences)

    def embed_file(
        self,
        input_file: IO,
        output_file_path: Union[str, "os.PathLike[str]"],
        output_format: str = "all",
        batch_size: int = DEFAULT_BATCH_SIZE,
        forget_sentences: bool = False,
        use_sentence_keys: bool = False,
    ) -> None:
        """
        Computes the layers of a file of sentences and writes them to an HDF5 file.

        # Parameters

        input_file : `IO`
            Open text file of tokenized sentences, one a line, the tokens separated by spaces. It is
            closed at the end.
        output_file_path : `Union[str, PathLike]`
            Path of the HDF5 file. It appears when it is complete.
        output_format : `str`, optional (default = `"all"`)
            `"all"`, `"top"` or `"average"`.
        batch_size : `int`, optional (default = `64`)
            The number of sentences of a batch, if the state is carried.
        forget_sentences : `bool`, optional (default = `False`)
            If `True`, leave out the table from sentences to keys.
        use_sentence_keys : `bool`, optional (default = `False`)
            If `True`, the sentences are the keys, in place of their numbers.

        # Raises

        `ConfigurationError`
            When a line is blank, when two keys are equal, or when there is no such format.
        `OSError`
            When the file cannot be written.
        """
        if output_format not in OUTPUT_FORMATS:
            raise ConfigurationError(
                f"Expected an output format from {', '.join(OUTPUT_FORMATS)}, got "
                f"'{output_format}'."
            )
        extractor = self._extractor(output_format, batch_size)
        folder = WorkingFolder(Path(output_file_path))
        if extractor.order_counts:
            folder.require_unused()
        with folder.discarded_unless_begun():
            folder.path.mkdir(exist_ok=True)
            with input_file, open(folder.input_path, "w", encoding="utf-8") as copy:
                shutil.copyfileobj(input_file, copy)
            source = SentenceFile(
                folder.input_path,
                input_format="lines",
                keys="sentences" if use_sentence_keys else "numbers",
                source_name=str(getattr(input_file, "name", "the input file")),
            )
            has_index = not (forget_sentences or use_sentence_keys)
            task: ExtractionTask[ElmoExtractor] = ExtractionTask(
                Path(output_file_path), has_sentence_index=has_index, output_class=Hdf5Output
            )
            job = ExtractionJob(
                source, extractor, task, not extractor.order_counts, {"layers": output_format}
            )
            job.run(job.plan())

    def _extractor(self, layers: str, batch_size: int) -> ElmoExtractor:
        return ElmoExtractor(self.elmo_bilm.encoder, layers, batch_size=batch_size)


def provide_module() -> None:
    """
    Makes this module importable as `allennlp.commands.elmo`, which AllenNLP 2 lacks.

    Code for AllenNLP 0.9 then runs unchanged, once the plugin is imported.
    """
    if not hasattr(allennlp.commands, "elmo"):
        sys.modules.setdefault(MODULE, sys.modules[__name__])
        allennlp.commands.elmo = sys.modules[MODULE]  # type: ignore[attr-defined]
