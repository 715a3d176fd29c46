"""
A dataset of an HDF5 file, whose storage is checked before its data is read.
"""

from itertools import product
from math import prod
from typing import BinaryIO, List, Optional, Tuple

import numpy
from h5py import h5d, h5s, h5t

from allennlp_elmo_plugin.weights.chunks import GZIP, LZF, NAMES, ChunkFilter, decode_chunk
from allennlp_elmo_plugin.weights.finite import first_non_finite

__all__ = ["StoredDataset"]

DTYPES = tuple(numpy.dtype(order + kind) for kind in ("f2", "f4", "f8") for order in "<>")
TYPE_CLASSES = {
    h5t.INTEGER: "integers",
    h5t.FLOAT: "floats of another kind",
    h5t.STRING: "strings",
    h5t.COMPOUND: "compounds (such as complex numbers)",
    h5t.ENUM: "an enumeration (such as booleans)",
    h5t.REFERENCE: "references",
}

MAX_CHUNKS = 100_000
MAX_LZF_CHUNK = 8 << 20
"""In bytes. HDF5 unpacks LZF itself, into up to 88 times the size."""
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
    """

    def __init__(self, dataset: h5d.DatasetID, file_size: int) -> None:
        self._dataset = dataset
        self._file_size = file_size
        self._properties = dataset.get_create_plist()
        self._layout = self._properties.get_layout()
        stored = dataset.get_type()
        self._type_class = stored.get_class()
        self._dtype = next((kind for kind in DTYPES if stored.equal(h5t.py_create(kind))), None)
        self.shape: Optional[Tuple[int, ...]] = None
        """Shape of the array, or `None` if the dataset holds none of its own."""
        # The shape of a virtual dataset is looked up in other files.
        if self._layout != h5d.VIRTUAL:
            self.shape = dataset.get_space().get_simple_extent_dims()

    def problem(self) -> Optional[str]:
        """Returns why the dataset is not read, or `None` if it is sound."""
        if self._layout == h5d.VIRTUAL or self._properties.get_external_count():
            return "expected data in the file itself, got a dataset that reads other files"
        if self._dtype is None:
            found = TYPE_CLASSES.get(self._type_class, "another type")
            return f"expected numbers of type float16, float32 or float64, got {found}"
        if self.shape is None:
            return "expected an array, got an empty dataset"
        return self._chunk_problem() if self._layout == h5d.CHUNKED else self._size_problem()

    def read(self, file: BinaryIO) -> numpy.ndarray:
        """
        Reads a dataset that has no problem, in the machine's own byte order.

        PyTorch accepts no other byte order.

        # Parameters

        file : `BinaryIO`
            The HDF5 file, opened without a buffer.

        # Returns

        `numpy.ndarray`
            The whole dataset.

        # Raises

        `ValueError`
            If the data is damaged, or if a number is not finite as a float32.
        """
        array = numpy.empty(self.shape, self._dtype)
        if self._layout == h5d.CONTIGUOUS:
            self._read_contiguous(file, array.reshape(-1))
        elif self._layout == h5d.CHUNKED and LZF not in self._codes():
            self._read_chunks(array)
            self._require_finite(array.reshape(-1))
        else:
            self._dataset.read(h5s.ALL, h5s.ALL, array)
            self._require_finite(array.reshape(-1))
        return array.astype(array.dtype.newbyteorder("="), copy=False)

    @property
    def _num_bytes(self) -> int:
        return prod(self.shape) * self._dtype.itemsize

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
        codes, chunk = self._codes(), self._properties.get_chunk()
        size = prod(chunk) * self._dtype.itemsize
        stored = self._dataset.get_storage_size()
        if any(code not in NAMES for code in codes) or {GZIP, LZF} <= set(codes):
            names = [NAMES.get(code, f"number {code}") for code in codes]
            return f"expected the filters shuffle, fletcher32 and one of gzip and lzf, got {names}"
        largest = max(self._num_bytes, SMALL_CHUNK)
        if LZF in codes:
            largest = min(largest, MAX_LZF_CHUNK)
        if len(chunk) != len(self.shape) or not 0 < size <= largest or self._num_chunks > MAX_CHUNKS:
            return (
                f"expected at most {MAX_CHUNKS} chunks, each of at most {largest} bytes, got "
                f"{self._num_chunks} of shape {chunk}"
            )
        if not self._num_chunks <= stored <= self._file_size:
            return (
                f"expected data for {self._num_chunks} chunks within the file's {self._file_size} "
                f"bytes, got {stored} bytes"
            )
        return self._setting_problem(size)

    def _setting_problem(self, chunk_size: int) -> Optional[str]:
        """Finds an LZF filter that would take other amounts of memory than its chunk."""
        for code, settings in self._filters():
            if code == LZF and settings[2:3] != (chunk_size,):
                return f"expected LZF settings for {chunk_size} bytes, got {settings}"
        return None

    @property
    def _num_chunks(self) -> int:
        return prod(-(-size // step) for size, step in zip(self.shape, self._properties.get_chunk()))

    def _filters(self) -> List[ChunkFilter]:
        filters = map(self._properties.get_filter, range(self._properties.get_nfilters()))
        return [(code, tuple(settings)) for code, _, settings, _ in filters]

    def _codes(self) -> List[int]:
        return [code for code, _ in self._filters()]

    def _read_contiguous(self, file: BinaryIO, numbers: numpy.ndarray) -> None:
        file.seek(self._dataset.get_offset())
        step = BLOCK_SIZE // numbers.itemsize
        for start in range(0, len(numbers), step):
            block = numbers[start : start + step]
            target = memoryview(block.view("uint8"))
            while len(target):
                count = file.readinto(target)
                if not count:
                    raise ValueError("the file ends within the data")
                target = target[count:]
            self._require_finite(block, start)

    def _read_chunks(self, array: numpy.ndarray) -> None:
        shape, filters = self._properties.get_chunk(), self._filters()
        size = prod(shape) * array.itemsize
        for start in product(*map(range, [0] * array.ndim, array.shape, shape)):
            filter_mask, stored = self._dataset.read_direct_chunk(start)
            content = decode_chunk(stored, filters, filter_mask, size, array.itemsize)
            part = array[tuple(slice(first, first + step) for first, step in zip(start, shape))]
            chunk = numpy.frombuffer(content, array.dtype).reshape(shape)
            part[...] = chunk[tuple(map(slice, part.shape))]

    def _require_finite(self, numbers: numpy.ndarray, first: int = 0) -> None:
        step = BLOCK_SIZE // numbers.itemsize
        for start in range(0, len(numbers), step):
            block = numbers[start : start + step]
            index = first_non_finite(block)
            if index is not None:
                place = numpy.unravel_index(first + start + index, self.shape)
                raise ValueError(
                    f"expected finite numbers, got {block[index]} at {[int(i) for i in place]}"
                )
