"""
JSON lines: a sentence on each, with its tokens and vectors.
"""

import json
import os
from typing import Iterable

import numpy
from allennlp.common.checks import ConfigurationError
from overrides import overrides

from allennlp_elmo_plugin.extraction.outputs.base import Output, num_vector_bytes
from allennlp_elmo_plugin.extraction.outputs.short_decimals import short_decimals
from allennlp_elmo_plugin.extraction.result_shape import ResultShape
from allennlp_elmo_plugin.extraction.sentence import Sentence

__all__ = ["JsonLinesOutput"]

# Of float32 and float16, with a comma.
NUM_DIGITS = {4: 13, 2: 9}
NUM_LINE_BYTES = 64


class JsonLinesOutput(Output):
    """
    A text file with a line `{"id": ..., "tokens": [...], "vectors": [...]}` for each sentence.

    Each number has as many digits as its type needs, so reading gives the same bits.
    """

    endings = (".jsonl",)

    @classmethod
    @overrides
    def num_bytes(cls, shape: ResultShape, num_key_bytes: int, num_text_bytes: int) -> int:
        item_size = numpy.dtype(shape.dtype).itemsize
        num_tokens_bytes = num_text_bytes + 4 * shape.num_tokens
        num_other_bytes = num_key_bytes + num_tokens_bytes + NUM_LINE_BYTES * shape.num_sentences
        return num_vector_bytes(shape) // item_size * NUM_DIGITS[item_size] + num_other_bytes

    @overrides
    def _open(self, is_new: bool) -> None:
        self._file.seek(0, os.SEEK_END)
        # Nine digits write each number that has fewer without zeros at the end.
        self._row_format = f"[{', '.join(['%.9g'] * self._shape.dim)}]"

    @overrides
    def _write(self, sentence: Sentence, vectors: numpy.ndarray) -> None:
        if not numpy.isfinite(vectors).all():
            raise ConfigurationError(
                "Expected finite numbers, since JSON has no others, but the vectors of the "
                f"sentence {sentence.key!r} have some. Check the weights."
            )
        start = json.dumps({"id": sentence.key, "tokens": sentence.tokens})[:-1]
        line = f'{start}, "vectors": {self._encoded(short_decimals(vectors))}}}\n'
        self._file.write(line.encode())

    @overrides
    def _flush(self) -> None:
        pass

    @overrides
    def _complete(self, sentences: Iterable[Sentence]) -> None:
        pass

    def _encoded(self, vectors: numpy.ndarray) -> str:
        if vectors.ndim == 1:
            return self._row_format % tuple(vectors.tolist())
        return f"[{', '.join(map(self._encoded, vectors))}]"
