"""
Decoding the chunks of an HDF5 dataset.

HDF5 itself unpacks a gzipped chunk of a few megabytes into gigabytes, and crashes on some damaged
ones, so gzip, shuffle and checksums are undone here, with a bound on every size.
"""

import zlib
from typing import List, Sequence, Tuple

import numpy
from h5py import h5z

__all__ = ["ChunkFilter", "GZIP", "LZF", "NAMES", "decode_chunk"]

GZIP, SHUFFLE, FLETCHER32, LZF = (
    h5z.FILTER_DEFLATE,
    h5z.FILTER_SHUFFLE,
    h5z.FILTER_FLETCHER32,
    h5z.FILTER_LZF,
)
NAMES = {GZIP: "gzip", SHUFFLE: "shuffle", FLETCHER32: "fletcher32", LZF: "lzf"}
"""Names of the filters that are read."""

CHECKSUM_SIZE = 4
MODULUS = 65535

ChunkFilter = Tuple[int, Tuple[int, ...]]
"""Number of an HDF5 filter, and its settings."""


def decode_chunk(
    stored: bytes, filters: Sequence[ChunkFilter], filter_mask: int, size: int, item_size: int
) -> bytes:
    """
    Undoes the filters of a chunk.

    # Parameters

    stored : `bytes`
        Chunk as the file has it.
    filters : `Sequence[ChunkFilter]`
        Filters in the order in which they were applied, without LZF.
    filter_mask : `int`
        A set bit i says that filter i was not applied to this chunk.
    size : `int`
        Size of the decoded chunk in bytes.
    item_size : `int`
        Size of a number in bytes.

    # Returns

    `bytes`
        Content of the chunk, of exactly `size` bytes.

    # Raises

    `ValueError`
        If the chunk is damaged.
    """
    # Checksums lengthen what is compressed after them.
    bound = size + CHECKSUM_SIZE * len(filters)
    for i, (code, _) in reversed(list(enumerate(filters))):
        if filter_mask >> i & 1:
            continue
        if code == GZIP:
            stored = _inflate(stored, bound)
        elif code == SHUFFLE:
            stored = _unshuffle(stored, item_size)
        else:
            stored = _without_checksum(stored)
    if len(stored) != size:
        raise ValueError(f"expected chunks of {size} bytes, got one of {len(stored)}")
    return stored


def _inflate(stored: bytes, bound: int) -> bytes:
    stream = zlib.decompressobj()
    inflated = stream.decompress(stored, bound + 1)
    if len(inflated) > bound or not stream.eof:
        raise ValueError(f"a gzipped chunk is cut off or has more than {bound} bytes")
    return inflated


def _unshuffle(stored: bytes, item_size: int) -> bytes:
    count = len(stored) // item_size
    whole = numpy.frombuffer(stored, "uint8", count * item_size).reshape(item_size, count)
    return whole.T.tobytes() + stored[count * item_size :]


def _without_checksum(stored: bytes) -> bytes:
    content, checksum = stored[:-CHECKSUM_SIZE], stored[-CHECKSUM_SIZE:]
    sums = [int(word) % MODULUS for word in numpy.frombuffer(checksum, "<u2")]
    if sums != _checksum(content):
        raise ValueError("the checksum of a chunk is wrong")
    return content


def _checksum(content: bytes) -> List[int]:
    """Returns the two sums of HDF5's Fletcher checksum."""
    words = numpy.frombuffer(content + bytes(len(content) % 2), ">u2").astype("uint64")
    first, second = 0, 0
    for start in range(0, len(words), MODULUS):
        block = words[start : start + MODULUS]
        weights = numpy.arange(len(block), 0, -1, dtype="uint64")
        second = (second + len(block) * first + int(block @ weights)) % MODULUS
        first = (first + int(block.sum())) % MODULUS
    return [first, second]
