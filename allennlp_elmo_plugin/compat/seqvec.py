"""
`SeqVecEmbedder` of bio_embeddings, which runs an ELMo of proteins.
"""

import logging
import os
from typing import Iterable, Iterator, List, Optional, Union

import numpy
import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.extraction.extractor import ElmoExtractor

__all__ = ["WARM_UP_SEQUENCE", "SeqVecEmbedder"]

logger = logging.getLogger(__name__)

PUBLISHED = "published:seqvec"
WARM_UP_SEQUENCE = (
    "MGSSHHHHHHSSGLVPRGSHMASVQKFPGDANCDGIVDISDAVLIMQTMA"
    "NPSKYQMTDKGRINADVTGNSDGVTVLDAQFIQSYCLGLVELPPVE"
)
"""The protein on which bio_embeddings warms up: T0922 of CASP."""


class SeqVecEmbedder:
    """
    A biLM of proteins, with the interface of bio_embeddings. Each residue is a token.

    It gives the numbers of bio_embeddings: the state is carried from batch to batch, after the
    warm-up sequence was read four times. So a protein gets other vectors after other proteins. With
    `initial_state="warm"` it gets the same ones, from the state to which the biLM converges on the
    warm-up sequence. Only then a batch is sorted by length.

    A fault of bio_embeddings is left out: `embed_many` yields a protein that is longer than a batch
    before proteins that came earlier.

    # Parameters

    warmup_rounds : `int`, optional (default = `4`)
        The number of times that the warm-up sequence is read, if the state is carried.
    weights_file, options_file : `str`, optional (default = `None`)
        The two files of a biLM, as for `load_elmo`.
    model_directory : `str`, optional (default = `None`)
        A folder or archive with both, in place of them. Without any of the three, the model is
        `published:seqvec`.
    device : `Union[None, str, torch.device]`, optional (default = `None`)
        The device of the biLM. `None` is a GPU if there is one.
    initial_state : `str`, optional (default = `"carry"`)
        The state that proteins start from: `"carry"`, `"warm"` or `"zero"`.

    # Raises

    `ConfigurationError`
        When a file is missing, damaged or does not fit, or when only one of the two is given.
    """

    name = "seqvec"
    embedding_dimension = 1024
    """Size of a vector."""
    number_of_layers = 3
    """The number of layers, the token layer included."""

    def __init__(
        self,
        warmup_rounds: int = 4,
        *,
        weights_file: Optional[str] = None,
        options_file: Optional[str] = None,
        model_directory: Union[str, "os.PathLike[str]", None] = None,
        device: Union[None, str, torch.device] = None,
        initial_state: str = "carry",
    ) -> None:
        if model_directory is None and (weights_file is None) != (options_file is None):
            raise ConfigurationError(
                "Expected both 'weights_file' and 'options_file', got one of them. Give the other "
                "one too, or 'model_directory' for both."
            )
        if device is None:
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self.warmup_rounds = warmup_rounds
        self._device = torch.device(device)
        self._initial_state = initial_state
        self._model = model_directory or options_file or PUBLISHED
        self._weights_file = None if model_directory else weights_file
        self._extractor = self._load(self._device)
        self._on_cpu: Optional[ElmoExtractor] = None
        self.embedding_dimension = self._extractor.dim
        self.number_of_layers = self._extractor.encoder.num_representations

    def embed(self, sequence: str) -> numpy.ndarray:
        """
        Computes the layers of a protein.

        # Parameters

        sequence : `str`
            Its residues.

        # Returns

        `numpy.ndarray`
            Shape (layers, residues, dim), float32.
        """
        return next(self.embed_batch([sequence]))

    def embed_batch(self, batch: List[str]) -> Iterator[numpy.ndarray]:
        """
        Computes the layers of the proteins of a batch.

        A batch that a GPU cannot run is run one by one, and a protein that it cannot run, on the
        CPU.

        # Parameters

        batch : `List[str]`
            The residues of each protein.

        # Returns

        `Iterator[numpy.ndarray]`
            An array for each protein, of shape (layers, residues, dim), float32.
        """
        yield from self._embed(batch)

    def embed_many(
        self, sequences: Iterable[str], batch_size: Optional[int] = None
    ) -> Iterator[numpy.ndarray]:
        """
        Computes the layers of proteins one after the other, and reads a batch at a time.

        # Parameters

        sequences : `Iterable[str]`
            The residues of each protein.
        batch_size : `int`, optional (default = `None`)
            The number of residues of a batch. A longer protein is run alone. `None` runs all
            proteins one by one.

        # Returns

        `Iterator[numpy.ndarray]`
            As `embed_batch`, in the order of the proteins.
        """
        batch: List[str] = []
        for sequence in sequences:
            if batch and sum(map(len, batch)) + len(sequence) >= (batch_size or 0):
                yield from self.embed_batch(batch)
                batch = []
            batch.append(sequence)
        yield from self.embed_batch(batch)

    @staticmethod
    def reduce_per_protein(embedding: numpy.ndarray) -> numpy.ndarray:
        """
        Returns one vector for a protein: the mean over its residues of the sum of the layers.

        # Parameters

        embedding : `numpy.ndarray`
            Shape (layers, residues, dim), as `embed` returns it.

        # Returns

        `numpy.ndarray`
            Shape (dim,).
        """
        return embedding.sum(0).mean(0)

    def _embed(self, batch: List[str]) -> List[numpy.ndarray]:
        if not batch:
            return []
        try:
            return self._extractor.run_window(batch)
        except RuntimeError as error:
            if self._device.type == "cpu":
                raise
            # The retry comes after this block, since the error holds on to the tensors.
            message = str(error).partition("\n")[0]
        if len(batch) > 1:
            logger.warning("Running %d proteins one by one, since: %s", len(batch), message)
            return [self._embed([sequence])[0] for sequence in batch]
        logger.warning("Running %d residues on the CPU, since: %s", len(batch[0]), message)
        if self._on_cpu is None:
            self._on_cpu = self._load(torch.device("cpu"))
        return self._on_cpu.run_window(batch)

    def _load(self, device: torch.device) -> ElmoExtractor:
        carries = self._initial_state == "carry"
        extractor = ElmoExtractor.load(
            self._model,
            self._weights_file,
            device=device,
            initial_state=self._initial_state,
            warm_up=[" ".join(WARM_UP_SEQUENCE)] if self._initial_state == "warm" else None,
        )
        for _ in range(self.warmup_rounds if carries else 0):
            extractor.run_window([WARM_UP_SEQUENCE])
        return extractor
