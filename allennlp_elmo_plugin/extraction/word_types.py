"""
One vector for each frequent word: the mean of its occurrences, in word2vec's formats.
"""

from pathlib import Path
from typing import Any, Dict, List, Type

from allennlp.common.checks import ConfigurationError
from overrides import overrides

from allennlp_elmo_plugin.extraction.extractor import ElmoExtractor
from allennlp_elmo_plugin.extraction.outputs.base import Output
from allennlp_elmo_plugin.extraction.result_shape import ResultShape
from allennlp_elmo_plugin.extraction.sentence import Sentence
from allennlp_elmo_plugin.extraction.sums import SumsOutput, require_one_vector
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


class WordTypesTask(ExtractionTask[ElmoExtractor]):
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
    def require_fit(self, engine: ElmoExtractor) -> None:
        require_one_vector(engine)

    @overrides
    def count(self, sentence: Sentence) -> None:
        self._counts.update(sentence.tokens)

    @overrides
    def shape(self, num_sentences: int, num_tokens: int, engine: ElmoExtractor) -> ResultShape:
        self._words = self._counts.most_frequent(self._num_types)
        self._counts.clear()
        return super().shape(num_sentences, len(self._words), engine)

    @overrides
    def open_output(self, file: JournaledFile, shape: ResultShape) -> Output:
        return WordTypesOutput(file, shape, self._words)

    @overrides
    def settings(self) -> Dict[str, Any]:
        return {**super().settings(), "types": self._num_types}


class WordTypesOutput(SumsOutput):
    """
    A file of word vectors in word2vec's text or binary format, the most frequent word first.
    """

    endings = (*TEXT_ENDINGS, BINARY_ENDING)

    @classmethod
    @overrides
    def num_bytes(cls, shape: ResultShape, num_key_bytes: int, num_text_bytes: int) -> int:
        return shape.num_tokens * (NUM_WORD_BYTES + NUM_DIGITS * shape.dim)

    @overrides
    def _write_sums(self, output: Path) -> None:
        write_mean_vectors(output, self._rows, self._sums)
