"""
One HDF5 file with the layers of some sentences.

| dataset | shape | dtype | content |
|---|---|---|---|
| `digests` | (sentences, digest size) | uint8 | cache key of each sentence |
| `lengths` | (sentences,) | int64 | tokens of each sentence, the two boundaries included |
| `checksums` | (sentences,) | uint32 | CRC-32 of the bytes of its layers |
| `layers` | (tokens, size) | float32 or float16 | a row for each token, sentence after sentence |

The attribute `format` names the version of this table, and `seconds` is the time that it took to
compute the layers.

28 bytes follow the end of the HDF5 file, little-endian: the offset and the number of the bytes of
`layers`, 8 bytes each; the CRC-32 of all bytes but these and `layers`, 4 bytes; and the text
`elmo_act`.

The HDF5 library writes these files and does not read them, since a crafted file makes it crash.
"""

import math
import os
import stat
import struct
from threading import RLock
from typing import IO, Dict, List, Mapping, Sequence, Tuple, Union
from uuid import uuid4
from zlib import crc32

import h5py
import numpy

from allennlp_elmo_plugin.embedder.activation_cache.hdf5_structure import (
    FileBytes,
    Hdf5Structure,
    StoredArray,
    UnexpectedBytes,
)

__all__ = ["DamagedSegment", "FORMAT_VERSION", "MAX_SENTENCES", "Segment", "encode_segment"]

FORMAT_VERSION = 2
FORMAT = f"allennlp_elmo_plugin activations {FORMAT_VERSION}"
TRAILER = struct.Struct("<QQI8s")
TRAILER_TEXT = b"elmo_act"

MAX_SENTENCES = 200_000
"""The largest number of sentences in a file, so that a crafted one takes little memory."""
MAX_STRUCTURE_BYTES = 100 * MAX_SENTENCES

# Opening a pipe must not wait for its writer.
OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)

ARRAYS = {
    b"digests": (("uint8",), 2),
    b"lengths": (("int64",), 1),
    b"checksums": (("uint32",), 1),
    b"layers": (("float32", "float16"), 2),
}

# The lock of h5py would stay locked in a process that is forked while another thread encodes.
_ENCODING = RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_ENCODING.acquire,
        after_in_parent=_ENCODING.release,
        after_in_child=_ENCODING.release,
    )


class DamagedSegment(Exception):
    """An error for a file that has changed since it was written; its text names the damage."""


def encode_segment(layers: Mapping[bytes, numpy.ndarray], seconds: float) -> bytes:
    """
    Encodes the layers of sentences as the content of a file.

    # Parameters

    layers : `Mapping[bytes, numpy.ndarray]`
        For each digest, all of one size, an array of shape (tokens, size), float32 or float16.
    seconds : `float`
        The time that it took to compute the layers, in seconds.

    # Returns

    `bytes`
        An HDF5 file and the 28 bytes that follow it.
    """
    arrays = list(layers.values())
    digests = numpy.frombuffer(b"".join(layers), dtype=numpy.uint8).reshape(len(layers), -1)
    checksums = [crc32(numpy.ascontiguousarray(array).data) for array in arrays]
    # Made in memory: the HDF5 library does not take a full disk well.
    options = {"driver": "core", "backing_store": False, "libver": "earliest"}
    with _ENCODING, h5py.File(uuid4().hex, "w", **options) as file:
        file.attrs["format"] = FORMAT
        file.attrs["seconds"] = seconds
        file.create_dataset("digests", data=digests)
        file.create_dataset("lengths", data=[len(array) for array in arrays], dtype="int64")
        file.create_dataset("checksums", data=checksums, dtype="uint32")
        # Without chunks or filters, the numbers lie in the file as they do in memory.
        dataset = file.create_dataset("layers", data=numpy.concatenate(arrays))
        file.flush()
        start, size = dataset.id.get_offset(), dataset.nbytes
        image = file.id.get_file_image()
    checksum = crc32(image[start + size :], crc32(image[:start]))
    return image + TRAILER.pack(start, size, checksum, TRAILER_TEXT)


class Segment:
    """
    A file of layers to read from.

    Layers stay on disk until they are read. The file is not held open, since a process may open
    only so many files.

    # Parameters

    path : `Union[str, PathLike]`
        Path of the file.

    # Raises

    `DamagedSegment`
        When the file is damaged, or was not made by `encode_segment`.
    `OSError`
        When it cannot be read.
    """

    num_tokens: int
    """The number of tokens of its sentences, boundaries included."""
    seconds: float
    """The time that it took to compute the layers, in seconds."""
    digests: List[bytes]
    """The cache key of each sentence."""
    lengths: List[int]
    """The number of tokens of each sentence, boundaries included."""
    dtype: numpy.dtype
    """Type of the numbers, float32 or float16."""
    size: int
    """The number of numbers for each token."""

    def __init__(self, path: Union[str, "os.PathLike[str]"]) -> None:
        self.path = path
        try:
            content, start, num_bytes = _read_around_layers(path)
            structure = Hdf5Structure(content)
            layers = _checked_arrays(structure, start, num_bytes)[b"layers"]
            arrays = structure.arrays
            digests, lengths, checksums = (
                arrays[name].read(content) for name in (b"digests", b"lengths", b"checksums")
            )
            self.seconds = _checked_seconds(structure)
        except UnexpectedBytes as error:
            raise DamagedSegment(str(error)) from error
        self.dtype, (self.num_tokens, self.size) = layers.dtype, layers.shape
        self.digests = [digest.tobytes() for digest in digests]
        self.lengths = lengths.tolist()
        self._checksums = checksums.tolist()
        if min(self.lengths) < 1 or sum(self.lengths) != self.num_tokens:
            raise DamagedSegment(f"its sentences do not have {self.num_tokens} tokens together")
        ends = numpy.cumsum(lengths) * self.dtype.itemsize * self.size
        self._starts = [start, *(start + ends).tolist()]
        self._checked: Tuple[Tuple[int, ...], bytearray] = (), bytearray()

    def require(self, dtype: str, size: int) -> None:
        """
        Checks the type and the size of the layers.

        # Parameters

        dtype : `str`
            `"float32"` or `"float16"`.
        size : `int`
            The number of numbers for each token.

        # Raises

        `DamagedSegment`
            When they are others.
        """
        if (self.dtype.name, self.size) != (dtype, size):
            raise DamagedSegment(
                f"expected {size} numbers in {dtype} for each token, got {self.size} in "
                f"{self.dtype.name}"
            )

    def require_length(self, sentence: int, length: int) -> None:
        """
        Checks the number of tokens of a sentence.

        # Parameters

        sentence : `int`
            Index into `digests`.
        length : `int`
            The number of its tokens, boundaries included.

        # Raises

        `DamagedSegment`
            When it is another.
        """
        if self.lengths[sentence] != length:
            raise DamagedSegment(
                f"expected {length} tokens in sentence {sentence}, got {self.lengths[sentence]}"
            )

    def read(self, sentences: Sequence[int]) -> List[numpy.ndarray]:
        """
        Reads the layers of sentences.

        # Parameters

        sentences : `Sequence[int]`
            Indices into `digests`.

        # Returns

        `List[numpy.ndarray]`
            For each sentence, shape (tokens, size), float32 or float16, read-only.

        # Raises

        `DamagedSegment`
            When the bytes have changed since they were written. Bytes are checked when they are
            read first, and again when the file's size or one of its times has changed.
        `OSError`
            When the file cannot be read.
        """
        bounds = [self._starts[sentence : sentence + 2] for sentence in sentences]
        # One block for all: with one for each sentence, the kernel makes new pages ready each time,
        # and that takes longer than the reading.
        block = numpy.empty(sum(end - start for start, end in bounds), dtype=numpy.uint8)
        arrays, offset = [], 0
        with _open(self.path) as file:
            verified = self._verified_of(file)
            for sentence, (start, end) in zip(sentences, bounds):
                content = block[offset : offset + end - start]
                offset += end - start
                file.seek(start)
                num_read = file.readinto(content.data)  # type: ignore[attr-defined]
                if num_read != len(content):
                    raise DamagedSegment("it is shorter than it was")
                if not verified[sentence]:
                    self._verify(sentence, content)
                    verified[sentence] = True
                arrays.append(content.view(self.dtype).reshape(-1, self.size))
        block.setflags(write=False)
        for array in arrays:
            array.setflags(write=False)
        return arrays

    def _verified_of(self, file: IO[bytes]) -> bytearray:
        """Returns a flag for each sentence that was checked since the file changed."""
        status = os.fstat(file.fileno())
        seen = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        # One attribute, since several threads read.
        checked, verified = self._checked
        if checked != seen:
            verified = bytearray(len(self.digests))
            self._checked = seen, verified
        return verified

    def _verify(self, sentence: int, content: numpy.ndarray) -> None:
        if crc32(content.data) != self._checksums[sentence]:
            raise DamagedSegment(f"the checksum of sentence {sentence} is wrong")


def _open(path: Union[str, "os.PathLike[str]"]) -> IO[bytes]:
    """Opens a file; neither waits for a pipe nor reads a device."""
    return open(path, "rb", buffering=0, opener=_open_regular)


def _open_regular(path: str, _: int) -> int:
    opened = os.open(path, OPEN_FLAGS)
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise DamagedSegment("it is not a file")
    return opened


def _read_around_layers(path: Union[str, "os.PathLike[str]"]) -> Tuple[FileBytes, int, int]:
    """Reads and checks all bytes but the layers; returns them, and the layers' place and size."""
    with _open(path) as file:
        length = file.seek(0, os.SEEK_END) - TRAILER.size
        if length < 0:
            raise DamagedSegment("it is too short")
        file.seek(length)
        start, size, checksum, text = TRAILER.unpack(file.read(TRAILER.size))
        if text != TRAILER_TEXT or start + size > length:
            raise DamagedSegment("it is cut off, or another kind of file")
        if length - size > MAX_STRUCTURE_BYTES:
            raise DamagedSegment(f"it has {length - size} bytes beside the layers")
        file.seek(0)
        before = file.read(start)
        file.seek(start + size)
        after = file.read(length - start - size)
    if crc32(after, crc32(before)) != checksum:
        raise DamagedSegment("the checksum of the bytes around the layers is wrong")
    return FileBytes(before, after, start + size), start, size


def _checked_arrays(
    structure: Hdf5Structure, start: int, num_bytes: int
) -> Dict[bytes, StoredArray]:
    """Checks the format, and the types, shapes and places of the datasets."""
    form = structure.attributes.get(b"format")
    if form != FORMAT.encode():
        raise DamagedSegment(f"expected format '{FORMAT}', got {form!r}")
    arrays = structure.arrays
    for name, (dtypes, rank) in ARRAYS.items():
        if name not in arrays:
            raise DamagedSegment(f"it has no dataset '{name.decode()}'")
        array = arrays[name]
        if array.dtype.name not in dtypes or len(array.shape) != rank:
            raise DamagedSegment(
                f"expected '{name.decode()}' of {rank} dimensions in {' or '.join(dtypes)}, got "
                f"shape {array.shape} in {array.dtype}"
            )
    lengths = {len_of: arrays[len_of].shape[0] for len_of in ARRAYS if len_of != b"layers"}
    if len(set(lengths.values())) != 1:
        raise DamagedSegment(f"its datasets are of different lengths, {lengths}")
    layers = arrays[b"layers"]
    if (layers.start, layers.num_bytes) != (start, num_bytes):
        raise DamagedSegment("its layers are not where they were written")
    return arrays


def _checked_seconds(structure: Hdf5Structure) -> float:
    seconds = structure.attributes.get(b"seconds")
    if not (isinstance(seconds, float) and math.isfinite(seconds) and seconds >= 0.0):
        raise DamagedSegment(f"expected a number of seconds, got {seconds!r}")
    return seconds
