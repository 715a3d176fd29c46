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
`elmo_act`. They are checked first, since the HDF5 library trusts what it reads, and damage can make
it crash or loop.
"""

import os
import struct
from typing import List, Mapping, Optional, Sequence, Union
from uuid import uuid4
from zlib import crc32

import h5py
import numpy

__all__ = ["DamagedSegment", "FORMAT_VERSION", "Segment", "encode_segment"]

FORMAT_VERSION = 2
FORMAT = f"allennlp_elmo_plugin activations {FORMAT_VERSION}"
TRAILER = struct.Struct("<QQI8s")
TRAILER_TEXT = b"elmo_act"


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
    # Made in memory: the HDF5 library does not take a full disk well.
    with h5py.File(uuid4().hex, "w", driver="core", backing_store=False) as file:
        file.attrs["format"] = FORMAT
        file.attrs["seconds"] = seconds
        file.create_dataset("digests", data=digests)
        file.create_dataset("lengths", data=[len(array) for array in arrays], dtype="int64")
        checksums = [crc32(numpy.ascontiguousarray(array).data) for array in arrays]
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

    def __init__(self, path: Union[str, "os.PathLike[str]"]) -> None:
        self.path = path
        start = _checked_start(path)
        with h5py.File(path, "r") as file:
            if file.attrs["format"] != FORMAT:
                raise DamagedSegment(f"expected format '{FORMAT}', got '{file.attrs['format']}'")
            self.seconds = float(file.attrs["seconds"])
            self.digests = [digest.tobytes() for digest in file["digests"][()]]
            lengths = file["lengths"][()]
            self._checksums = file["checksums"][()].tolist()
            self._dtype, (self.num_tokens, self._size) = file["layers"].dtype, file["layers"].shape
        ends = numpy.cumsum(lengths) * self._dtype.itemsize * self._size
        self._starts = [start, *(start + ends).tolist()]
        self._verified = bytearray(len(self.digests))

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
            When the bytes have changed since they were written. They are checked once.
        `OSError`
            When the file cannot be read.
        """
        bounds = [self._starts[sentence : sentence + 2] for sentence in sentences]
        # One block for all: with one for each sentence, the kernel makes new pages ready each time,
        # and that takes longer than the reading.
        block = numpy.empty(sum(end - start for start, end in bounds), dtype=numpy.uint8)
        arrays, offset = [], 0
        with open(self.path, "rb", buffering=0) as file:
            for sentence, (start, end) in zip(sentences, bounds):
                content = block[offset : offset + end - start]
                offset += end - start
                file.seek(start)
                self._verify(sentence, content, file.readinto(content.data))
                arrays.append(content.view(self._dtype).reshape(-1, self._size))
        block.setflags(write=False)
        for array in arrays:
            array.setflags(write=False)
        return arrays

    def _verify(self, sentence: int, content: numpy.ndarray, num_read: Optional[int]) -> None:
        if self._verified[sentence] and num_read == len(content):
            return
        if num_read != len(content) or crc32(content.data) != self._checksums[sentence]:
            raise DamagedSegment(f"the checksum of sentence {sentence} is wrong")
        self._verified[sentence] = True


def _checked_start(path: Union[str, "os.PathLike[str]"]) -> int:
    """Checks everything but the layers, and returns their offset."""
    with open(path, "rb") as file:
        length = file.seek(0, os.SEEK_END) - TRAILER.size
        if length < 0:
            raise DamagedSegment("it is too short")
        file.seek(length)
        start, size, checksum, text = TRAILER.unpack(file.read(TRAILER.size))
        if text != TRAILER_TEXT or start + size > length:
            raise DamagedSegment("it is cut off, or another kind of file")
        file.seek(0)
        before = file.read(start)
        file.seek(start + size)
        after = file.read(length - start - size)
    if crc32(after, crc32(before)) != checksum:
        raise DamagedSegment("the checksum of the bytes around the layers is wrong")
    return start
