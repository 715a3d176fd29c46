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
"""

import os
from typing import List, Mapping, Union
from uuid import uuid4
from zlib import crc32

import h5py
import numpy

__all__ = ["DamagedSegment", "Segment", "to_bytes"]

FORMAT = "allennlp_elmo_plugin activations 1"


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
        An HDF5 file.
    """
    arrays = list(layers.values())
    digests = numpy.frombuffer(b"".join(layers), dtype=numpy.uint8).reshape(len(layers), -1)
    # Made in memory: the HDF5 library does not take a full disk well.
    with h5py.File(uuid4().hex, "w", driver="core", backing_store=False) as file:
        file.attrs["format"] = FORMAT
        file.attrs["seconds"] = seconds
        file.create_dataset("digests", data=digests)
        file.create_dataset("lengths", data=[len(array) for array in arrays], dtype="int64")
        file.create_dataset("checksums", data=[_checksum(a) for a in arrays], dtype="uint32")
        file.create_dataset("layers", data=numpy.concatenate(arrays))
        file.flush()
        return file.id.get_file_image()


class Segment:
    """
    A file, opened for reading. Its layers stay on disk until they are read.

    # Parameters

    path : `Union[str, PathLike]`
        The file.

    # Raises

    `DamagedSegment`
        When it is not what `to_bytes` makes.
    """

    def __init__(self, path: Union[str, "os.PathLike[str]"]) -> None:
        self.path = path
        try:
            with h5py.File(path, "r") as file:
                self._open(file)
        # What the HDF5 library raises depends on where the damage is.
        except Exception as error:
            raise DamagedSegment(f"it cannot be read ({error})") from error

    def _open(self, file: h5py.File) -> None:
        if file.attrs["format"] != FORMAT:
            raise ValueError(f"expected format '{FORMAT}', got '{file.attrs['format']}'")
        self.seconds = float(file.attrs["seconds"])
        self.digests: List[bytes] = [digest.tobytes() for digest in file["digests"][()]]
        self._checksums = file["checksums"][()]
        self._ends = numpy.cumsum(file["lengths"][()])
        layers = file["layers"]
        sizes = {len(self.digests), len(self._checksums), len(self._ends)}
        if len(sizes) != 1 or layers.shape[0] != self._ends[-1]:
            raise ValueError("its datasets do not fit each other")
        # Without chunks or filters, the numbers lie in the file as they do in memory.
        mapped = numpy.memmap(
            self.path, layers.dtype, mode="r", offset=layers.id.get_offset(), shape=layers.shape
        )
        self._layers = numpy.asarray(mapped)
        self._verified = bytearray(len(self.digests))

    @property
    def num_words(self) -> int:
        """How many words its sentences have, boundaries among them."""
        return len(self._layers)

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
        """
        start = self._ends[sentence - 1] if sentence else 0
        layers = self._layers[start : self._ends[sentence]]
        if not self._verified[sentence]:
            if _checksum(layers) != self._checksums[sentence]:
                raise DamagedSegment(f"the checksum of sentence {sentence} is wrong")
            self._verified[sentence] = True
        return layers


def _checksum(layers: numpy.ndarray) -> int:
    return crc32(numpy.ascontiguousarray(layers).view(numpy.uint8).reshape(-1).data)
