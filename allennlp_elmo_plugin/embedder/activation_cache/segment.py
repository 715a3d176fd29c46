"""
One HDF5 file with the layers of some sentences.

| dataset | shape | type | |
|---|---|---|---|
| `digests` | (sentences, digest size) | uint8 | what each sentence is found by |
| `lengths` | (sentences,) | int64 | words, the two boundaries among them |
| `checksums` | (sentences,) | uint32 | CRC-32 of the bytes of its layers |
| `layers` | (words, num_representations, size) | float32 or float16 | sentence after sentence |

The attribute `format` says which version of this table the file follows, `seconds` how long it
took to compute the layers.

Behind the end of the HDF5 file stand 28 bytes that it knows nothing of, little-endian: the place
and the number of the bytes of `layers`, 8 bytes each, the CRC-32 of all bytes that are neither
these nor layers, 4 bytes, and the text `elmo_act`. They are looked at first, since the HDF5 library
trusts what it reads, and damage can send it astray.
"""

import os
import struct
from typing import List, Mapping, Union
from uuid import uuid4
from zlib import crc32

import h5py
import numpy

__all__ = ["DamagedSegment", "Segment", "to_bytes"]

FORMAT = "allennlp_elmo_plugin activations 1"
TRAILER = struct.Struct("<QQI8s")
TRAILER_TEXT = b"elmo_act"


class DamagedSegment(Exception):
    """A file that is not what was once written, and why."""


def to_bytes(layers: Mapping[bytes, numpy.ndarray], seconds: float) -> bytes:
    """
    The content of a file.

    # Parameters

    layers : `Mapping[bytes, numpy.ndarray]`
        For each digest, all of one size, an array of shape (words, num_representations, size),
        float32 or float16.
    seconds : `float`
        How long it took to compute them.

    # Returns

    `bytes`
        An HDF5 file and what stands behind it.
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
    A file, opened for reading. Its layers stay on disk until they are read, and it is not kept
    open: a process may open only so many files.

    # Parameters

    path : `Union[str, PathLike]`
        The file.

    # Raises

    `DamagedSegment`
        When it is not what `to_bytes` makes.
    `OSError`
        When it cannot be read, be it damaged or not.
    """

    num_words: int
    """How many words its sentences have, boundaries among them."""
    seconds: float
    """How long it took to compute the layers."""
    digests: List[bytes]
    """What each sentence is found by."""

    def __init__(self, path: Union[str, "os.PathLike[str]"]) -> None:
        self.path = path
        start = _checked_start(path)
        with h5py.File(path, "r") as file:
            if file.attrs["format"] != FORMAT:
                raise DamagedSegment(f"expected format '{FORMAT}', got '{file.attrs['format']}'")
            self.seconds = float(file.attrs["seconds"])
            self.digests = [digest.tobytes() for digest in file["digests"][()]]
            self._lengths = file["lengths"][()].tolist()
            self._checksums = file["checksums"][()].tolist()
            self._dtype, (self.num_words, *self._shape) = file["layers"].dtype, file["layers"].shape
        word_bytes = self._dtype.itemsize * int(numpy.prod(self._shape))
        ends = numpy.cumsum(self._lengths) * word_bytes
        self._starts = [start, *(start + ends).tolist()]
        self._verified = bytearray(len(self.digests))

    def read(self, sentence: int) -> numpy.ndarray:
        """
        # Parameters

        sentence : `int`
            Which of `digests`.

        # Returns

        `numpy.ndarray`
            Shape (words, num_representations, size), float32 or float16; not to be written to.

        # Raises

        `DamagedSegment`
            When its bytes have changed since they were written. They are looked at once.
        `OSError`
            When the file cannot be read.
        """
        start, end = self._starts[sentence : sentence + 2]
        with open(self.path, "rb", buffering=0) as file:
            file.seek(start)
            content = file.read(end - start)
        if not self._verified[sentence] or len(content) != end - start:
            if crc32(content) != self._checksums[sentence]:
                raise DamagedSegment(f"the checksum of sentence {sentence} is wrong")
            self._verified[sentence] = True
        return numpy.frombuffer(content, self._dtype).reshape(-1, *self._shape)


def _checked_start(path: Union[str, "os.PathLike[str]"]) -> int:
    """Where the layers begin, once everything else is known to be as it was written."""
    with open(path, "rb") as file:
        length = file.seek(0, os.SEEK_END) - TRAILER.size
        if length < 0:
            raise DamagedSegment("it is too short")
        file.seek(length)
        start, size, checksum, text = TRAILER.unpack(file.read(TRAILER.size))
        if text != TRAILER_TEXT or start + size > length:
            raise DamagedSegment("it is cut off, or something else")
        file.seek(0)
        before = file.read(start)
        file.seek(start + size)
        after = file.read(length - start - size)
    if crc32(after, crc32(before)) != checksum:
        raise DamagedSegment("the checksum of what is around the layers is wrong")
    return start
