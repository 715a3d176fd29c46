"""
Parquet: a table with a row for each sentence, and nested lists of numbers.
"""

import os
from pathlib import Path
from typing import Any, Iterable, List, Tuple

import numpy
from allennlp.common.checks import ConfigurationError
from overrides import overrides

from allennlp_elmo_plugin.extraction.outputs.base import Output, num_vector_bytes
from allennlp_elmo_plugin.extraction.result_shape import ResultShape
from allennlp_elmo_plugin.extraction.sentence import Sentence
from allennlp_elmo_plugin.io.atomic import move_file
from allennlp_elmo_plugin.io.disk_errors import disk_error

__all__ = ["ParquetOutput"]

NUM_BATCH_BYTES = 8 << 20
MAX_NUMBERS = (1 << 31) - 1
"""Most numbers of a list of Arrow, whose offsets are int32."""
# Arrow's nested lists are described by two small numbers for each of their numbers.
NUM_ROW_BYTES = 64


class ParquetOutput(Output):
    """
    A table with the columns `id`, `tokens` (list) and `vectors`.

    The vectors are lists of lists, (layers, tokens, dim) without the layers or the tokens if there
    are none. Until the table is finished, the rows wait on the disk as record batches of Arrow.
    """

    endings = (".parquet",)

    @classmethod
    @overrides
    def num_bytes(cls, shape: ResultShape, num_key_bytes: int, num_text_bytes: int) -> int:
        num_tokens_bytes = num_text_bytes + 4 * shape.num_tokens
        num_other_bytes = num_key_bytes + num_tokens_bytes + NUM_ROW_BYTES * shape.num_sentences
        return num_vector_bytes(shape) * 21 // 20 + num_other_bytes

    @classmethod
    @overrides
    def num_working_bytes(cls, shape: ResultShape, num_key_bytes: int, num_text_bytes: int) -> int:
        return cls.num_bytes(shape, num_key_bytes, num_text_bytes) + (1 << 20)

    @overrides
    def _open(self, is_new: bool) -> None:
        self._arrow = _import_pyarrow()
        self._schema = _schema(self._arrow, self._shape)
        self._rows: List[Tuple[Sentence, numpy.ndarray]] = []
        self._num_waiting_bytes = 0
        self._file.seek(0, os.SEEK_END)
        if is_new:
            _require_float16(self._arrow, self._shape.dtype)
            self._file.write(self._schema.serialize())

    @overrides
    def _write(self, sentence: Sentence, vectors: numpy.ndarray) -> None:
        # A view would keep the whole batch of the encoder in memory.
        self._rows.append((sentence, vectors.copy()))
        self._num_waiting_bytes += vectors.nbytes + NUM_ROW_BYTES
        if self._num_waiting_bytes > NUM_BATCH_BYTES:
            self._flush()

    @overrides
    def _flush(self) -> None:
        if self._rows:
            sentences, vectors = zip(*self._rows)
            id_type, tokens_type, _ = self._schema.types
            columns = [
                self._arrow.array([sentence.key for sentence in sentences], id_type),
                self._arrow.array([sentence.tokens for sentence in sentences], tokens_type),
                _nested_lists(self._arrow, vectors),
            ]
            batch = self._arrow.RecordBatch.from_arrays(columns, schema=self._schema)
            self._file.write(batch.serialize())
            self._rows, self._num_waiting_bytes = [], 0

    @overrides
    def _complete(self, sentences: Iterable[Sentence]) -> None:
        pass

    @overrides
    def _publish(self, sentences: Iterable[Sentence], output: Path) -> None:
        _import_pyarrow()
        from pyarrow import ipc, parquet

        table = Path(f"{self._file.name}.table")
        self._file.seek(0)
        try:
            # Neighbouring numbers are all different, so no encoding makes them smaller.
            with ipc.open_stream(self._file) as batches, parquet.ParquetWriter(
                str(table), batches.schema, use_dictionary=False, compression="none"
            ) as writer:
                for batch in batches:
                    writer.write_batch(batch)
        except OSError as error:
            raise disk_error(error, table, ". All vectors are committed.") from error
        move_file(table, output)
        self.close()
        os.unlink(self._file.name)


def _import_pyarrow() -> Any:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise ConfigurationError(
            f"Parquet files need the package pyarrow, which cannot be imported ({error}). Install "
            "it: pip install 'allennlp_elmo_plugin[parquet]'. Or choose another ending."
        ) from error
    return pyarrow


def _schema(arrow: Any, shape: ResultShape) -> Any:
    vectors = arrow.float32() if shape.dtype == "float32" else arrow.float16()
    for _ in shape.of_sentence(1):
        vectors = arrow.list_(vectors)
    return arrow.schema(
        [("id", arrow.string()), ("tokens", arrow.list_(arrow.string())), ("vectors", vectors)]
    )


def _require_float16(arrow: Any, dtype: str) -> None:
    """Tries it, since it depends on the version."""
    from pyarrow import parquet

    table = arrow.table({"vectors": arrow.array(numpy.zeros(1, dtype))})
    try:
        parquet.write_table(table, arrow.BufferOutputStream())
    except arrow.ArrowNotImplementedError as error:
        raise ConfigurationError(
            f"This version of pyarrow, {arrow.__version__}, writes no {dtype} to Parquet files "
            f"({error}). Install 15 or later, or choose float32."
        ) from error


def _nested_lists(arrow: Any, vectors: Iterable[numpy.ndarray]) -> Any:
    """Returns an array of Arrow with an entry for each NumPy array, all of the same rank."""
    vectors = list(vectors)
    if sum(array.size for array in vectors) > MAX_NUMBERS:
        raise ConfigurationError(
            f"Expected a sentence of at most {MAX_NUMBERS} numbers, which is what a list of Arrow "
            "can hold. Split the sentence, or choose another format."
        )
    result = arrow.array(numpy.concatenate([array.ravel() for array in vectors]))
    for axis in reversed(range(vectors[0].ndim)):
        lengths = numpy.concatenate(
            [numpy.full(array.shape[:axis], array.shape[axis]).ravel() for array in vectors]
        )
        offsets = numpy.concatenate([[0], numpy.cumsum(lengths)])
        result = arrow.ListArray.from_arrays(arrow.array(offsets, arrow.int32()), result)
    return result
