"""
Parquet: a table with a row for each sentence, and nested lists of numbers.
"""

from typing import Any, List, Tuple

import numpy
from overrides import overrides

from allennlp_elmo_plugin.extraction.outputs.arrow import nested_type
from allennlp_elmo_plugin.extraction.outputs.base import num_vector_bytes
from allennlp_elmo_plugin.extraction.outputs.table import NUM_ROW_BYTES, TableOutput
from allennlp_elmo_plugin.extraction.result_shape import ResultShape
from allennlp_elmo_plugin.extraction.sentence import Sentence

__all__ = ["ParquetOutput"]


class ParquetOutput(TableOutput):
    """
    A table with the columns `id`, `tokens` (list) and `vectors`.

    The vectors are lists of lists, (layers, tokens, dim) without the layers or the tokens if there
    are none.
    """

    @classmethod
    @overrides
    def num_bytes(cls, shape: ResultShape, num_key_bytes: int, num_text_bytes: int) -> int:
        num_tokens_bytes = num_text_bytes + 4 * shape.num_tokens
        num_other_bytes = num_key_bytes + num_tokens_bytes + NUM_ROW_BYTES * shape.num_sentences
        return num_vector_bytes(shape) * 21 // 20 + num_other_bytes

    @overrides
    def _columns(self, arrow: Any) -> List[Tuple[str, Any]]:
        rank = len(self._shape.of_sentence(1))
        return [
            ("id", arrow.string()),
            ("tokens", arrow.list_(arrow.string())),
            ("vectors", nested_type(arrow, self._shape.dtype, rank)),
        ]

    @overrides
    def _write(self, sentence: Sentence, vectors: numpy.ndarray) -> None:
        self._append(sentence.key, sentence.tokens, vectors)
