"""
JSON lines: a sentence on each, with its tokens and vectors.
"""

import json
import os
from functools import lru_cache
from typing import Iterable

import numpy
import orjson
from allennlp.common.checks import ConfigurationError
from overrides import overrides

from allennlp_elmo_plugin.extraction.outputs.base import Output, num_vector_bytes
from allennlp_elmo_plugin.extraction.result_shape import ResultShape
from allennlp_elmo_plugin.extraction.sentence import Sentence

__all__ = ["JsonLinesOutput"]

# Of float32 and float16, with a comma.
NUM_DIGITS = {4: 12, 2: 8}
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

    @overrides
    def _write(self, sentence: Sentence, vectors: numpy.ndarray) -> None:
        if not numpy.isfinite(vectors).all():
            raise ConfigurationError(
                "Expected finite numbers, since JSON has no others, but the vectors of the "
                f"sentence {sentence.key!r} have some. Check the weights."
            )
        # Not by orjson, which refuses halves of surrogate pairs.
        start = json.dumps({"id": sentence.key, "tokens": sentence.tokens}).encode("ascii")
        if vectors.dtype == "float16":
            vectors = _short_float16()[vectors.view("uint16")]
        numbers = orjson.dumps(vectors, option=orjson.OPT_SERIALIZE_NUMPY)
        self._file.write(start[:-1] + b', "vectors": ' + numbers + b"}\n")

    @overrides
    def _flush(self) -> None:
        pass

    @overrides
    def _complete(self, sentences: Iterable[Sentence]) -> None:
        pass


@lru_cache(maxsize=None)
def _short_float16() -> numpy.ndarray:
    """
    Returns a float32 for the bits of every float16, the number that has the same short decimal.

    0.1 in float16 is 0.099975586 in float32. The table has 0.1 in its place.
    """
    numbers = numpy.arange(1 << 16, dtype="uint16").view("float16")
    return numpy.array([str(number) for number in numbers]).astype("float32")
