"""
The vectors of all occurrences of some words, for example to compare their use in two periods.
"""

from pathlib import Path
from typing import Any, Dict, Iterable, List, Sequence, Type

import numpy
from allennlp.common.checks import ConfigurationError
from overrides import overrides

from allennlp_elmo_plugin.extraction.extractor import ElmoExtractor
from allennlp_elmo_plugin.extraction.occurrences import Occurrences
from allennlp_elmo_plugin.extraction.outputs.base import Output, num_vector_bytes
from allennlp_elmo_plugin.extraction.result_shape import ResultShape
from allennlp_elmo_plugin.extraction.sentence import Sentence
from allennlp_elmo_plugin.extraction.task import ExtractionTask
from allennlp_elmo_plugin.io.journaled_file import JournaledFile

__all__ = ["TargetsOutput", "TargetsTask"]

NUM_PLACE_BYTES = 32
NUM_ENTRY_BYTES = 512


class TargetsTask(ExtractionTask[ElmoExtractor]):
    """
    A task that writes the vectors of all occurrences of some words.

    Only sentences with one of the words are run, unless the order of sentences counts.

    # Parameters

    words : `Sequence[str]`
        The words, each a token as it stands in the input. Repeated ones count once.
    output : `Path`
        Path of the output, which ends in `.npz`.
    dtype : `str`, optional (default = `"float32"`)
        `"float32"` or `"float16"`.

    # Raises

    `ConfigurationError`
        If there are no words, if an `.npz` file cannot name an array by one of them, or if the
        output has another ending.
    """

    def __init__(self, words: Sequence[str], output: Path, dtype: str = "float32") -> None:
        super().__init__(output, dtype)
        self.words = list(dict.fromkeys(words))
        if not self.words:
            raise ConfigurationError("Expected one or more target words, got none.")
        self._wanted = frozenset(self.words)
        for word in self.words:
            # zipfile cuts a name off at NUL, and numpy.load looks for "a" under "a.npy".
            if "\0" in word or f"{word}.npy" in self._wanted:
                raise ConfigurationError(
                    f"Expected target words that can name arrays of an .npz file, but {word!r} has "
                    f"a NUL character, or '{word}.npy' is a target too. Leave one out."
                )
        self._runs_all = False
        self._num_occurrences = 0

    @overrides
    def find_output_class(self) -> Type[Output]:
        if self.output.suffix.lower() not in TargetsOutput.endings:
            raise ConfigurationError(
                f"Expected an output that ends in .npz for target words, got '{self.output}'."
            )
        return TargetsOutput

    @overrides
    def require_fit(self, engine: ElmoExtractor) -> None:
        if engine.num_vectors(1) != 1 or engine.is_pooled:
            raise ConfigurationError(
                "Expected a vector for each token to find those of target words. Leave out the "
                "mean and the sentence boundaries."
            )
        self._runs_all = engine.order_counts

    @overrides
    def count(self, sentence: Sentence) -> None:
        self._num_occurrences += len(positions(sentence, self._wanted))

    @overrides
    def wants(self, sentence: Sentence) -> bool:
        return self._runs_all or not self._wanted.isdisjoint(sentence.tokens)

    @overrides
    def shape(self, num_sentences: int, num_tokens: int, engine: ElmoExtractor) -> ResultShape:
        return super().shape(num_sentences, self._num_occurrences, engine)

    @overrides
    def open_output(self, file: JournaledFile, shape: ResultShape) -> Output:
        return TargetsOutput(file, shape, self.words)

    @overrides
    def settings(self) -> Dict[str, Any]:
        return {**super().settings(), "targets": self.words}


class TargetsOutput(Output):
    """
    A `.npz` with an array for each word, of shape (occurrences, dim) or (occurrences, layers, dim).

    The JSON file of the same name says where each occurrence is: `{word: [[key, position], ...]}`,
    with the key of the sentence and the position of the token in it, from 0.

    # Parameters

    file : `JournaledFile`
        The unfinished file: the vectors of all occurrences in the order of the text.
    shape : `ResultShape`
        Shape of all results. Its tokens are the occurrences.
    words : `Sequence[str]`
        The words.
    """

    endings = (".npz",)
    has_json_beside = True

    def __init__(self, file: JournaledFile, shape: ResultShape, words: Sequence[str]) -> None:
        self._words = words
        self._wanted = frozenset(words)
        super().__init__(file, shape)

    @classmethod
    @overrides
    def num_bytes(cls, shape: ResultShape, num_key_bytes: int, num_text_bytes: int) -> int:
        return num_vector_bytes(shape) + NUM_PLACE_BYTES * shape.num_tokens

    @classmethod
    @overrides
    def num_working_bytes(cls, shape: ResultShape, num_key_bytes: int, num_text_bytes: int) -> int:
        # The vectors are sorted by words at the end.
        return num_vector_bytes(shape) + (1 << 20)

    @overrides
    def _open(self, is_new: bool) -> None:
        self._file.seek(0, 2)

    @overrides
    def _write(self, sentence: Sentence, vectors: numpy.ndarray) -> None:
        chosen = vectors[..., positions(sentence, self._wanted), :]
        if self._shape.num_layers is not None:
            chosen = chosen.swapaxes(0, 1)
        self._file.write(chosen.tobytes())

    @overrides
    def _flush(self) -> None:
        pass

    @overrides
    def _complete(self, sentences: Iterable[Sentence]) -> None:
        pass

    @overrides
    def _publish(self, sentences: Iterable[Sentence], output: Path) -> None:
        occurrences = Occurrences(self._words)
        for sentence in sentences:
            for position in positions(sentence, self._wanted):
                occurrences.add(sentence.tokens[position], sentence.key, position)
        occurrences.write(output, self._file, self._shape.of_row, self._shape.dtype)
        self._file.remove()


def positions(sentence: Sentence, words: Any) -> List[int]:
    """
    Returns the positions of words in a sentence.

    # Parameters

    sentence : `Sentence`
        The sentence.
    words : `Container[str]`
        The words.
    """
    return [position for position, token in enumerate(sentence.tokens) if token in words]
