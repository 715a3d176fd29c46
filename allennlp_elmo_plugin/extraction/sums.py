"""
The sums of the vectors of words, from which their means come.
"""

from abc import abstractmethod
from pathlib import Path
from typing import Iterable, Sequence

import numpy
from allennlp.common.checks import ConfigurationError
from overrides import overrides

from allennlp_elmo_plugin.extraction.extractor import ElmoExtractor
from allennlp_elmo_plugin.extraction.outputs.base import Output
from allennlp_elmo_plugin.extraction.result_shape import ResultShape
from allennlp_elmo_plugin.extraction.sentence import Sentence
from allennlp_elmo_plugin.io.journaled_file import JournaledFile

__all__ = ["SumsOutput", "require_one_vector"]


class SumsOutput(Output):
    """
    An output that adds up the vectors of words, in the order of the text.

    A subclass writes what becomes of the sums.

    # Parameters

    file : `JournaledFile`
        The unfinished file: the sums so far.
    shape : `ResultShape`
        Shape of all results. Its tokens are the words.
    words : `Sequence[str]`
        The words.
    """

    def __init__(self, file: JournaledFile, shape: ResultShape, words: Sequence[str]) -> None:
        self._rows = {word: row for row, word in enumerate(words)}
        self._sums = numpy.zeros((len(words), shape.dim))
        super().__init__(file, shape)

    @classmethod
    @overrides
    def num_working_bytes(cls, shape: ResultShape, num_key_bytes: int, num_text_bytes: int) -> int:
        # A commit writes the sums to the journal first.
        return 2 * shape.num_tokens * shape.dim * 8 + (1 << 20)

    @overrides
    def _open(self, is_new: bool) -> None:
        if not is_new:
            self._read_sums()

    @overrides
    def _write(self, sentence: Sentence, vectors: numpy.ndarray) -> None:
        for token, vector in zip(sentence.tokens, vectors):
            row = self._rows.get(token)
            if row is not None:
                self._sums[row] += vector

    @overrides
    def _flush(self) -> None:
        self._file.seek(0)
        self._file.write(self._sums)

    @overrides
    def _complete(self, sentences: Iterable[Sentence]) -> None:
        pass

    @overrides
    def _publish(self, sentences: Iterable[Sentence], output: Path) -> None:
        # A file that was completed by a process since killed was not opened for writing.
        self._read_sums()
        self._write_sums(output)
        self._file.remove()

    @abstractmethod
    def _write_sums(self, output: Path) -> None:
        """Writes what becomes of the sums, atomically."""

    def _read_sums(self) -> None:
        self._file.seek(0)
        self._file.readinto(self._sums)


def require_one_vector(extractor: ElmoExtractor) -> None:
    """
    Checks that an extractor has one vector for each token.

    # Parameters

    extractor : `ElmoExtractor`
        The extractor.

    # Raises

    `ConfigurationError`
        If it has more, or none.
    """
    if extractor.num_layers is not None or extractor.num_vectors(1) != 1 or extractor.is_pooled:
        raise ConfigurationError(
            "Expected one vector for each token to average over the occurrences of a word. "
            "Choose one layer or a mix, and leave out the mean and the sentence boundaries."
        )
