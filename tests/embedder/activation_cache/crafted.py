"""Files of layers that were changed, with checksums that are right again."""

import random
import struct
import zlib
from pathlib import Path
from typing import Callable, Dict

import h5py
import numpy

from allennlp_elmo_plugin.embedder.activation_cache.segment import encode_segment

__all__ = ["craft", "damage_structure", "seal"]

TRAILER = struct.Struct("<QQI8s")


def seal(image: bytes, start: int, size: int) -> bytes:
    """
    Appends the trailer that fits the bytes of a file.

    # Parameters

    image : `bytes`
        Bytes of the HDF5 file.
    start : `int`
        Offset of the layers.
    size : `int`
        Size of the layers in bytes.

    # Returns

    `bytes`
        Bytes of the HDF5 file and the trailer.
    """
    checksum = zlib.crc32(image[:start] + image[start + size :])
    return image + TRAILER.pack(start, size, checksum, b"elmo_act")


def craft(
    path: Path, layers: Dict[bytes, numpy.ndarray], change: Callable[[h5py.File], None]
) -> None:
    """
    Writes a file of layers that was changed by h5py, with the checksum of what it is now.

    # Parameters

    path : `Path`
        Path of the file.
    layers : `Dict[bytes, numpy.ndarray]`
        Layers of the file before it is changed.
    change : `Callable[[h5py.File], None]`
        Function that changes the file.
    """
    path.write_bytes(encode_segment(layers, 1.0)[: -TRAILER.size])
    with h5py.File(path, "r+", libver="earliest") as file:
        change(file)
        file.flush()
        dataset = file.get("layers")
        start, size = (dataset.id.get_offset(), dataset.nbytes) if dataset else (0, 0)
    if start is None:
        start, size = 0, 0
    path.write_bytes(seal(path.read_bytes(), start, size))


def damage_structure(content: bytes, seed: int) -> bytes:
    """
    Changes numbers around the layers of a file, and corrects its checksum.

    # Parameters

    content : `bytes`
        Content of a file of layers.
    seed : `int`
        Seed of the changes.

    # Returns

    `bytes`
        Content with one to three other numbers.
    """
    start, size, _, _ = TRAILER.unpack(content[-TRAILER.size :])
    image, choose = bytearray(content[: -TRAILER.size]), random.Random(seed)
    # Zeros are padding for the most part.
    offsets = [i for i in range(len(image)) if image[i] and not start <= i < start + size]
    for _ in range(choose.randint(1, 3)):
        width, offset = choose.choice([1, 2, 4, 8]), choose.choice(offsets)
        number = choose.choice(
            [0, 1, 2, 0x60, 0x88, 1 << 16, 1 << 31, 1 << 38, (1 << 64) - 1, choose.getrandbits(64)]
        )
        image[offset : offset + width] = number.to_bytes(8, "little")[:width]
    return seal(bytes(image[: len(content) - TRAILER.size]), start, size)
