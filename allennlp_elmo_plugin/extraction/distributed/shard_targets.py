"""
The occurrences of target words in a shard.
"""

from typing import Any, List, Sequence, Tuple, Type

import numpy
from overrides import overrides

from allennlp_elmo_plugin.extraction.outputs.arrow import nested_type
from allennlp_elmo_plugin.extraction.outputs.base import Output, num_vector_bytes
from allennlp_elmo_plugin.extraction.outputs.table import NUM_ROW_BYTES, TableOutput
from allennlp_elmo_plugin.extraction.result_shape import ResultShape
from allennlp_elmo_plugin.extraction.sentence import Sentence
from allennlp_elmo_plugin.extraction.targets import TargetsTask, positions
from allennlp_elmo_plugin.io.journaled_file import JournaledFile

__all__ = ["OccurrencesOutput", "OccurrencesTask"]


class OccurrencesTask(TargetsTask):
    """
    A task that writes a Parquet file of all occurrences of some words in a shard.

    `gather_targets` makes of such files what a `TargetsTask` makes of the whole text. The
    parameters are those of a `TargetsTask`, but for the ending of the output.
    """

    @overrides
    def find_output_class(self) -> Type[Output]:
        return OccurrencesOutput

    @overrides
    def open_output(self, file: JournaledFile, shape: ResultShape) -> Output:
        return OccurrencesOutput(file, shape, self.words)


class OccurrencesOutput(TableOutput):
    """
    A table with the columns `word`, `id`, `position` and `vectors`, in the order of the text.

    A row has the number of the word, the key of the sentence, the position of the token in it from
    0, and the vectors of the token: lists, (layers, dim) or (dim,) without layers.

    # Parameters

    file : `JournaledFile`
        The unfinished file.
    shape : `ResultShape`
        Shape of all results. Its tokens are the occurrences.
    words : `Sequence[str]`
        The words, each once. They are numbered from 0.
    """

    def __init__(self, file: JournaledFile, shape: ResultShape, words: Sequence[str]) -> None:
        self._numbers = {word: number for number, word in enumerate(words)}
        super().__init__(file, shape)

    @classmethod
    @overrides
    def num_bytes(cls, shape: ResultShape, num_key_bytes: int, num_text_bytes: int) -> int:
        # A key is repeated for each occurrence in its sentence.
        num_all_key_bytes = num_key_bytes * shape.num_tokens // max(shape.num_sentences, 1)
        num_other_bytes = num_all_key_bytes + NUM_ROW_BYTES * shape.num_tokens
        return num_vector_bytes(shape) * 21 // 20 + num_other_bytes

    @overrides
    def _columns(self, arrow: Any) -> List[Tuple[str, Any]]:
        return [
            ("word", arrow.int32()),
            ("id", arrow.string()),
            ("position", arrow.int32()),
            ("vectors", nested_type(arrow, self._shape.dtype, len(self._shape.of_row))),
        ]

    @overrides
    def _write(self, sentence: Sentence, vectors: numpy.ndarray) -> None:
        for position in positions(sentence, self._numbers):
            number = self._numbers[sentence.tokens[position]]
            self._append(number, sentence.key, position, vectors[..., position, :])
