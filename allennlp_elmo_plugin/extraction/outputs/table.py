"""
The base class of tables of vectors in Parquet.
"""

import os
from abc import abstractmethod
from pathlib import Path
from typing import Any, Iterable, List, Tuple

from overrides import overrides

from allennlp_elmo_plugin.extraction.outputs.arrow import (
    import_pyarrow,
    nested_lists,
    require_float16,
    write_parquet,
)
from allennlp_elmo_plugin.extraction.outputs.base import Output
from allennlp_elmo_plugin.extraction.result_shape import ResultShape
from allennlp_elmo_plugin.extraction.sentence import Sentence
from allennlp_elmo_plugin.io.atomic import move_file
from allennlp_elmo_plugin.io.disk_errors import disk_error

__all__ = ["NUM_ROW_BYTES", "TableOutput"]

NUM_BATCH_BYTES = 8 << 20
# Arrow's nested lists are described by two small numbers for each of their numbers.
NUM_ROW_BYTES = 64


class TableOutput(Output):
    """
    A table with vectors, nested lists of numbers, in its last column.

    Until the table is finished, the rows wait on the disk as record batches of Arrow. A subclass
    says which columns there are, and appends the rows of each sentence.
    """

    endings = (".parquet",)

    @classmethod
    @overrides
    def num_working_bytes(cls, shape: ResultShape, num_key_bytes: int, num_text_bytes: int) -> int:
        return cls.num_bytes(shape, num_key_bytes, num_text_bytes) + (1 << 20)

    @overrides
    def _open(self, is_new: bool) -> None:
        self._arrow = import_pyarrow()
        self._schema = self._arrow.schema(self._columns(self._arrow))
        self._rows: List[Tuple[Any, ...]] = []
        self._num_waiting_bytes = 0
        self._file.seek(0, os.SEEK_END)
        if is_new:
            require_float16(self._arrow, self._shape.dtype)
            self._file.write(self._schema.serialize())

    @abstractmethod
    def _columns(self, arrow: Any) -> List[Tuple[str, Any]]:
        """Returns the names and types of all columns."""

    def _append(self, *row: Any) -> None:
        """Appends a row: a value for each column, the last of which is an array of NumPy."""
        # A view would keep the whole batch of the encoder in memory.
        vectors = row[-1].copy()
        self._rows.append((*row[:-1], vectors))
        self._num_waiting_bytes += vectors.nbytes + NUM_ROW_BYTES
        if self._num_waiting_bytes > NUM_BATCH_BYTES:
            self._flush()

    @overrides
    def _flush(self) -> None:
        if self._rows:
            *others, vectors = zip(*self._rows)
            columns = [
                self._arrow.array(values, kind) for values, kind in zip(others, self._schema.types)
            ]
            columns.append(nested_lists(self._arrow, vectors))
            batch = self._arrow.RecordBatch.from_arrays(columns, schema=self._schema)
            self._file.write(batch.serialize())
            self._rows, self._num_waiting_bytes = [], 0

    @overrides
    def _complete(self, sentences: Iterable[Sentence]) -> None:
        pass

    @overrides
    def _publish(self, sentences: Iterable[Sentence], output: Path) -> None:
        import_pyarrow()
        from pyarrow import ipc

        table = Path(f"{self._file.name}.table")
        self._file.seek(0)
        try:
            with ipc.open_stream(self._file) as batches:
                write_parquet(table, batches.schema, batches)
        except OSError as error:
            raise disk_error(error, table, ". All vectors are committed.") from error
        move_file(table, output)
        self.close()
        os.unlink(self._file.name)
