"""
The tensors of a checkpoint, read from its index and its shards.
"""

import os
from contextlib import contextmanager
from math import prod
from typing import Dict, Iterator, List, Optional, Tuple, Union

import google_crc32c
import numpy
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.io.read_into import read_into
from allennlp_elmo_plugin.io.regular_file import require_regular_file
from allennlp_elmo_plugin.weights.finite import require_finite
from allennlp_elmo_plugin.weights.tensorflow.masked_checksum import unmask
from allennlp_elmo_plugin.weights.tensorflow.messages import (
    BundleEntry,
    read_entry,
    read_header,
)
from allennlp_elmo_plugin.weights.tensorflow.sorted_table import read_table

__all__ = ["INDEX_SUFFIX", "TensorBundle"]

INDEX_SUFFIX = ".index"
"""Ending of the name of an index, after the prefix of the checkpoint."""

MAX_INDEX_SIZE = 16 << 20
"""In bytes."""
BLOCK_SIZE = 1 << 20
"""In bytes. A block is still in the processor's cache when its numbers are checked."""

DTYPES = {1: "<f4", 2: "<f8", 19: "<f2"}
"""Types of NumPy by their numbers in TensorFlow's `DataType`."""


class TensorBundle:
    """
    The tensors of a checkpoint, in TensorFlow's format V2.

    # Parameters

    path : `Union[str, PathLike]`
        Path of the index. The shards are beside it.
    contents : `str`
        Contents that are expected, for the errors.

    # Raises

    `ConfigurationError`
        If the file is not a regular file, is not the index of a checkpoint, or is damaged.
    """

    def __init__(self, path: Union[str, "os.PathLike[str]"], contents: str) -> None:
        self._path = os.fspath(path)
        self._contents = contents
        require_regular_file(path, contents + " in a TensorFlow checkpoint")
        with self._explained_errors():
            self._num_shards, self._entries = _read_index(self._path)

    @property
    def names(self) -> List[str]:
        """Names of all tensors, in order."""
        return list(self._entries)

    def shape(self, name: str) -> Tuple[int, ...]:
        """
        Returns the shape of a tensor.

        # Parameters

        name : `str`
            Name of the tensor.
        """
        return self._entries[name].shape

    def problem(self, name: str) -> Optional[str]:
        """
        Returns why a tensor cannot be read, or `None`. The numbers are not read for this.

        # Parameters

        name : `str`
            Name of the tensor.
        """
        entry = self._entries[name]
        if entry.is_sliced:
            return "expected a whole variable, got one that is stored in slices"
        if entry.dtype not in DTYPES:
            return (
                "expected numbers of type float16, float32 or float64, got TensorFlow's type "
                f"number {entry.dtype}"
            )
        path = self._shard(entry)
        try:
            stored = require_regular_file(path, "a part of the checkpoint")
        except ConfigurationError as error:
            return str(error)
        size = prod(entry.shape) * numpy.dtype(DTYPES[entry.dtype]).itemsize
        if entry.size != size or entry.offset + size > stored:
            return (
                f"expected {size} bytes of data within the {stored} of '{path}', got {entry.size} "
                f"from byte {entry.offset} on"
            )
        return None

    def read(self, name: str) -> numpy.ndarray:
        """
        Reads a tensor that has no problem.

        # Parameters

        name : `str`
            Name of the tensor.

        # Returns

        `numpy.ndarray`
            The whole tensor, float in the machine's own byte order. Each number is finite, also as
            a float32.

        # Raises

        `ConfigurationError`
            If the data is damaged or a number is not finite.
        """
        entry = self._entries[name]
        array = numpy.empty(entry.shape, DTYPES[entry.dtype])
        with self._explained_errors(name):
            self._read_into(array.reshape(-1), entry)
        return array.astype(array.dtype.newbyteorder("="), copy=False)

    def _read_into(self, numbers: numpy.ndarray, entry: BundleEntry) -> None:
        step = BLOCK_SIZE // numbers.itemsize
        checksum = 0
        with open(self._shard(entry), "rb", buffering=0) as file:
            file.seek(entry.offset)
            for start in range(0, len(numbers), step):
                block = numbers[start : start + step]
                read_into(file, block.view("uint8"))
                checksum = google_crc32c.extend(checksum, block.tobytes())
                require_finite(block, entry.shape, start)
        if checksum != unmask(entry.checksum):
            raise ValueError(f"the checksum of its data in '{self._shard(entry)}' does not match")

    def _shard(self, entry: BundleEntry) -> str:
        prefix = self._path[: -len(INDEX_SUFFIX)]
        return f"{prefix}.data-{entry.shard:05d}-of-{self._num_shards:05d}"

    @contextmanager
    def _explained_errors(self, name: Optional[str] = None) -> Iterator[None]:
        """Turns the errors of damaged files into one that names the file."""
        try:
            yield
        except (OSError, ValueError) as error:
            place = f", variable '{name}'," if name else ""
            raise ConfigurationError(
                f"Expected {self._contents} in a TensorFlow checkpoint, but '{self._path}'{place} "
                f"cannot be read ({error}). Check that the index and the files 'data-*' beside it "
                "belong together and were downloaded completely."
            ) from error


def _read_index(path: str) -> Tuple[int, Dict[str, BundleEntry]]:
    """Returns the number of shards, and the tensors by their names."""
    with open(path, "rb") as file:
        content = file.read(MAX_INDEX_SIZE + 1)
    if len(content) > MAX_INDEX_SIZE:
        raise ValueError(f"it has more than {MAX_INDEX_SIZE} bytes")
    table = read_table(content)
    if b"" not in table:
        raise ValueError("it has no header")
    header = read_header(table.pop(b""))
    if not header.is_little_endian:
        raise ValueError("its numbers are big-endian")
    entries = {
        key.decode("utf-8", "backslashreplace"): read_entry(value) for key, value in table.items()
    }
    return header.num_shards, entries
