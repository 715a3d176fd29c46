"""
One vector for each frequent word: the mean of its occurrences, in word2vec's formats.
"""

from pathlib import Path
from typing import Any, Dict, Iterable, List, Sequence, Type

import numpy
from allennlp.common.checks import ConfigurationError
from overrides import overrides

from allennlp_elmo_plugin.extraction.extractor import ElmoExtractor
from allennlp_elmo_plugin.extraction.outputs.base import Output
from allennlp_elmo_plugin.extraction.result_shape import ResultShape
from allennlp_elmo_plugin.extraction.sentence import Sentence
from allennlp_elmo_plugin.extraction.task import ExtractionTask
from allennlp_elmo_plugin.extraction.word2vec import (
    BINARY_ENDING,
    TEXT_ENDINGS,
    write_mean_vectors,
)
from allennlp_elmo_plugin.extraction.word_counts import WordCounts
from allennlp_elmo_plugin.io.journaled_file import JournaledFile

__all__ = ["WordTypesOutput", "WordTypesTask"]

NUM_WORD_BYTES = 12
NUM_DIGITS = 12


class WordTypesTask(ExtractionTask):
    """
    A task that writes the mean vector of each frequent word, normalized to length 1.

    Of equally frequent words, the one that comes first in the text is chosen. Words with white
    space are left out, since word2vec's formats cannot hold them.

    # Parameters

    num_types : `int`
        The largest number of words.
    output : `Path`
        Path of the output: `.txt` or `.vec` for word2vec's text format, `.bin` for its binary one.

    # Raises

    `ConfigurationError`
        If `num_types` is not positive, or if the output has another ending.
    """

    def __init__(self, num_types: int, output: Path) -> None:
        super().__init__(output)
        if num_types < 1:
            raise ConfigurationError(f"Expected one or more types of words, got {num_types}.")
        self._num_types = num_types
        self._counts = WordCounts()
        self._words: List[str] = []

    @overrides
    def find_output_class(self) -> Type[Output]:
        if self.output.suffix.lower() not in WordTypesOutput.endings:
            raise ConfigurationError(
                f"Expected an output that ends in {', '.join(WordTypesOutput.endings)} for types "
                f"of words, got '{self.output}'."
            )
        return WordTypesOutput

    @overrides
    def require_fit(self, extractor: ElmoExtractor) -> None:
        if extractor.num_layers is not None or extractor.num_vectors(1) != 1 or extractor.is_pooled:
            raise ConfigurationError(
                "Expected one vector for each token to average over the occurrences of a word. "
                "Choose one layer or a mix, and leave out the mean and the sentence boundaries."
            )

    @overrides
    def count(self, sentence: Sentence) -> None:
        self._counts.update(sentence.tokens)

    @overrides
    def shape(self, num_sentences: int, num_tokens: int, extractor: ElmoExtractor) -> ResultShape:
        self._words = self._counts.most_frequent(self._num_types)
        self._counts.clear()
        return super().shape(num_sentences, len(self._words), extractor)

    @overrides
    def open_output(self, file: JournaledFile, shape: ResultShape) -> Output:
        return WordTypesOutput(file, shape, self._words)

    @overrides
    def settings(self) -> Dict[str, Any]:
        return {**super().settings(), "types": self._num_types}


class WordTypesOutput(Output):
    """
    A file of word vectors in word2vec's text or binary format, the most frequent word first.

    # Parameters

    file : `JournaledFile`
        The unfinished file: the sums of the vectors so far.
    shape : `ResultShape`
        Shape of all results. Its tokens are the words.
    words : `Sequence[str]`
        The words.
    """

    endings = (*TEXT_ENDINGS, BINARY_ENDING)

    def __init__(self, file: JournaledFile, shape: ResultShape, words: Sequence[str]) -> None:
        self._rows = {word: row for row, word in enumerate(words)}
        # The mean has the direction of the sum, and its length is 1 in the end.
        self._sums = numpy.zeros((len(words), shape.dim))
        super().__init__(file, shape)

    @classmethod
    @overrides
    def num_bytes(cls, shape: ResultShape, num_key_bytes: int, num_text_bytes: int) -> int:
        return shape.num_tokens * (NUM_WORD_BYTES + NUM_DIGITS * shape.dim)

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
        write_mean_vectors(output, self._rows, self._sums)
        self._file.remove()

    def _read_sums(self) -> None:
        self._file.seek(0)
        self._file.readinto(self._sums)
