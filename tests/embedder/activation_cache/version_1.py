"""Files in the first layout of the activation cache, which had a dimension for the layers."""

import struct
import zlib
from pathlib import Path
from typing import Mapping

import h5py
import numpy

__all__ = ["write_version_1"]


def write_version_1(path: Path, layers: Mapping[bytes, numpy.ndarray]) -> bytes:
    """
    Writes a file in the first layout.

    # Parameters

    path : `Path`
        Path of the file, whose folder is made if it is missing.
    layers : `Mapping[bytes, numpy.ndarray]`
        For each digest, an array of shape (tokens, num_representations, size).

    # Returns

    `bytes`
        Content of the file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = list(layers.values())
    digests = numpy.frombuffer(b"".join(layers), dtype=numpy.uint8).reshape(len(layers), -1)
    with h5py.File(path, "w") as file:
        file.attrs["format"] = "allennlp_elmo_plugin activations 1"
        file.attrs["seconds"] = 1.0
        file.create_dataset("digests", data=digests)
        file.create_dataset("lengths", data=[len(array) for array in arrays], dtype="int64")
        checksums = [zlib.crc32(array.tobytes()) for array in arrays]
        file.create_dataset("checksums", data=checksums, dtype="uint32")
        dataset = file.create_dataset("layers", data=numpy.concatenate(arrays))
        file.flush()
        start, size = dataset.id.get_offset(), dataset.nbytes
    content = path.read_bytes()
    checksum = zlib.crc32(content[:start] + content[start + size :])
    content += struct.pack("<QQI8s", start, size, checksum, b"elmo_act")
    path.write_bytes(content)
    return content
