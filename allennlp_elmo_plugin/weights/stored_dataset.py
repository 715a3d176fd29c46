"""
A dataset of an HDF5 file, whose storage is checked before its data is read.
"""

from io import FileIO
from math import prod
from typing import Any, List, Optional, Tuple

import numpy
from h5py import h5d, h5s, h5t

from allennlp_elmo_plugin.io.read_into import read_into
from allennlp_elmo_plugin.weights.chunks import FILTER_NAMES, decode_chunk, find_chunks
from allennlp_elmo_plugin.weights.finite import require_finite

__all__ = ["BYTES", "FLOATS", "StoredDataset"]

FLOATS = tuple(numpy.dtype(order + kind) for kind in ("f2", "f4", "f8") for order in "<>")
BYTES = (numpy.dtype("u1"),)
TYPE_CLASSES = {
    h5t.INTEGER: "integers",
    h5t.FLOAT: "floats of another kind",
    h5t.STRING: "strings",
    h5t.COMPOUND: "compounds (such as complex numbers)",
    h5t.ENUM: "an enumeration (such as booleans)",
    h5t.REFERENCE: "references",
}

MAX_CHUNKS = 20_000
SMALL_CHUNK = 1 << 20
"""In bytes. A chunk of this size may be larger than its dataset, as h5py makes resizable ones."""

BLOCK_SIZE = 1 << 20
"""In bytes. A block is still in the processor's cache when its numbers are checked."""


class StoredDataset:
    """
    A dataset of an HDF5 file.

    # Parameters

    dataset : `h5py.h5d.DatasetID`
        The dataset.
    file_size : `int`
        Size of the file in bytes.
    user_block_size : `int`
        Size of the user block at the start of the file in bytes.
    dtypes : `Tuple[numpy.dtype, ...]`, optional (default = `FLOATS`)
        Types of numbers that are read: `FLOATS` or `BYTES`.
    """

    def __init__(
        self,
        dataset: h5d.DatasetID,
        file_size: int,
        user_block_size: int,
        dtypes: Tuple[numpy.dtype, ...] = FLOATS,
    ) -> None:
        self._dataset = dataset
        self._user_block_size = user_block_size
        self._file_size = file_size
        self._properties = dataset.get_create_plist()
        self._layout = self._properties.get_layout()
        stored = dataset.get_type()
        self._type_class = stored.get_class()
        self._dtype: Any = next(
            (kind for kind in dtypes if stored.equal(h5t.py_create(kind))), None
        )
        self._expected = "float16, float32 or float64" if dtypes == FLOATS else "uint8"
        self.shape: Optional[Tuple[int, ...]] = None
        """Shape of the array, or `None` if the dataset holds none of its own."""
        # The shape of a virtual dataset is looked up in other files.
        if self._layout != h5d.VIRTUAL:
            self.shape = dataset.get_space().get_simple_extent_dims()
        self._sizes = self.shape or ()

    def problem(self) -> Optional[str]:
        """Returns why the dataset is not read, or `None` if it is sound."""
        if self._layout == h5d.VIRTUAL or self._properties.get_external_count():
            return "expected data in the file itself, got a dataset that reads other files"
        if self._dtype is None:
            found = TYPE_CLASSES.get(self._type_class, "another type")
            return f"expected numbers of type {self._expected}, got {found}"
        if self.shape is None:
            return "expected an array, got an empty dataset"
        return self._chunk_problem() if self._layout == h5d.CHUNKED else self._size_problem()

    def read(self, file: FileIO) -> numpy.ndarray:
        """
        Reads a dataset that has no problem, in the machine's own byte order.

        PyTorch accepts no other byte order.

        # Parameters

        file : `FileIO`
            The HDF5 file, opened without a buffer.

        # Returns

        `numpy.ndarray`
            The whole dataset.

        # Raises

        `ValueError`
            If the data is damaged, or if a number is not finite as a float32.
        """
        array = numpy.empty(self._sizes, self._dtype)
        if self._layout == h5d.CONTIGUOUS:
            self._read_contiguous(file, array.reshape(-1))
        elif self._layout == h5d.CHUNKED:
            self._read_chunks(file, array)
            self._require_finite(array.reshape(-1))
        else:
            self._dataset.read(h5s.ALL, h5s.ALL, array)
            self._require_finite(array.reshape(-1))
        return array.astype(array.dtype.newbyteorder("="), copy=False)

    @property
    def _num_bytes(self) -> int:
        return prod(self._sizes) * self._dtype.itemsize

    def _size_problem(self) -> Optional[str]:
        stored = self._dataset.get_storage_size()
        offset = self._dataset.get_offset() if self._layout == h5d.CONTIGUOUS else 0
        if stored == 0:
            return f"expected {self._num_bytes} bytes of data, got a dataset that was never written"
        if stored != self._num_bytes or offset is None or offset + stored > self._file_size:
            return (
                f"expected {self._num_bytes} bytes of data within the file's {self._file_size}, "
                f"got {stored} from byte {offset} on"
            )
        return None

    def _chunk_problem(self) -> Optional[str]:
        filters, chunk = self._filters(), self._properties.get_chunk()
        unknown = [str(code) for code in filters if code not in FILTER_NAMES]
        if unknown:
            return f"expected the filters {list(FILTER_NAMES.values())}, got number {unknown[0]}"
        # Some versions of HDF5 count the place of a chunk from the end of the user block.
        if self._user_block_size:
            return "expected data in one piece after a user block, got chunks"
        size = prod(chunk) * self._dtype.itemsize
        largest = max(self._num_bytes, SMALL_CHUNK)
        if (
            len(chunk) != len(self._sizes)
            or not 0 < size <= largest
            or self._num_chunks > MAX_CHUNKS
        ):
            return (
                f"expected at most {MAX_CHUNKS} chunks of at most {largest} bytes, got chunks of "
                f"shape {chunk}"
            )
        stored = self._dataset.get_storage_size()
        if not self._num_chunks <= stored <= self._file_size:
            return (
                f"expected data for {self._num_chunks} chunks within the file's {self._file_size} "
                f"bytes, got {stored} bytes"
            )
        return None

    @property
    def _num_chunks(self) -> int:
        return prod(
            -(-size // step) for size, step in zip(self._sizes, self._properties.get_chunk())
        )

    def _filters(self) -> List[int]:
        count = self._properties.get_nfilters()
        return [self._properties.get_filter(i)[0] for i in range(count)]

    def _read_contiguous(self, file: FileIO, numbers: numpy.ndarray) -> None:
        file.seek(self._dataset.get_offset())
        step = BLOCK_SIZE // numbers.itemsize
        for start in range(0, len(numbers), step):
            block = numbers[start : start + step]
            read_into(file, block.view("uint8"))
            self._require_finite(block, start)

    def _read_chunks(self, file: FileIO, array: numpy.ndarray) -> None:
        shape, filters = self._properties.get_chunk(), self._filters()
        size = prod(shape) * array.itemsize
        chunks = find_chunks(self._dataset, array.shape, shape, self._file_size)
        for start, info in chunks.items():
            stored = numpy.empty(info.size, "uint8")
            file.seek(info.byte_offset)
            read_into(file, stored)
            content = decode_chunk(
                stored.tobytes(), filters, info.filter_mask, size, array.itemsize
            )
            part = array[tuple(slice(first, first + step) for first, step in zip(start, shape))]
            chunk = numpy.frombuffer(content, array.dtype).reshape(shape)
            part[...] = chunk[tuple(map(slice, part.shape))]

    def _require_finite(self, numbers: numpy.ndarray, first: int = 0) -> None:
        step = BLOCK_SIZE // numbers.itemsize
        for start in range(0, len(numbers), step):
            block = numbers[start : start + step]
            require_finite(block, self._sizes, first + start)
