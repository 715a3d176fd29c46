"""
Finding and decoding the chunks of an HDF5 dataset.

HDF5 itself inflates a gzipped chunk of a few megabytes into gigabytes, and writes past the end of
its memory for some damaged ones. So chunks are read and decoded here, with a bound on every size.
"""

import zlib
from itertools import product
from typing import Any, Dict, List, Optional, Sequence, Tuple

import h5py
import numpy
from h5py import h5d, h5z

__all__ = ["FILTER_NAMES", "decode_chunk", "find_chunks"]

GZIP, SHUFFLE, FLETCHER32, LZF = (
    h5z.FILTER_DEFLATE,
    h5z.FILTER_SHUFFLE,
    h5z.FILTER_FLETCHER32,
    h5z.FILTER_LZF,
)
FILTER_NAMES = {GZIP: "gzip", SHUFFLE: "shuffle", FLETCHER32: "fletcher32", LZF: "lzf"}
"""Names of the filters that are read."""

CHECKSUM_SIZE = 4
MODULUS = 65535

MAX_LZF_SIZE = 8 << 20
"""In bytes. LZF decodes a chunk into up to 88 times its size before its end is known."""


def find_chunks(
    dataset: h5d.DatasetID, shape: Sequence[int], chunk: Sequence[int], file_size: int
) -> Dict[Tuple[int, ...], Any]:
    """
    Finds where a file has the chunks of a dataset.

    # Parameters

    dataset : `h5py.h5d.DatasetID`
        The dataset.
    shape : `Sequence[int]`
        Shape of the dataset.
    chunk : `Sequence[int]`
        Shape of a chunk.
    file_size : `int`
        Size of the file in bytes.

    # Returns

    `Dict[Tuple[int, ...], StoreInfo]`
        Place in the file (`byte_offset`, `size`) and `filter_mask` of each chunk, by the index of
        its first number.

    # Raises

    `ValueError`
        If a chunk is missing, is there twice, or lies outside the file.
    """
    expected = set(product(*(range(0, size, step) for size, step in zip(shape, chunk))))
    found = _chunk_infos(dataset, len(expected))
    chunks = {tuple(info.chunk_offset): info for info in found}
    if set(chunks) != expected or len(found) != len(expected):
        raise ValueError(f"expected {len(expected)} chunks, but some are missing or misplaced")
    if (
        any(info.byte_offset + info.size > file_size for info in found)
        or sum(info.size for info in found) > file_size
    ):
        raise ValueError("the chunks take more bytes than the file has")
    return chunks


def _chunk_infos(dataset: h5d.DatasetID, expected: int) -> List[Any]:
    """Returns the places of all chunks; of one more than expected if there are too many."""
    if not hasattr(dataset, "chunk_iter"):
        count = min(dataset.get_num_chunks(), expected + 1)
        return [dataset.get_chunk_info(i) for i in range(count)]
    found: List[Any] = []

    def visit(info: Any) -> Optional[bool]:
        found.append(info)
        return True if len(found) > expected else None

    dataset.chunk_iter(visit)
    return found


def decode_chunk(
    stored: bytes, filters: Sequence[int], filter_mask: int, size: int, item_size: int
) -> bytes:
    """
    Undoes the filters of a chunk.

    # Parameters

    stored : `bytes`
        Chunk as the file has it.
    filters : `Sequence[int]`
        HDF5's numbers of the filters, in the order in which they were applied.
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
    for i, code in reversed(list(enumerate(filters))):
        if filter_mask >> i & 1:
            continue
        if code == GZIP:
            stored = _inflate(stored, bound)
        elif code == LZF:
            stored = _decode_lzf(stored, size)
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


def _decode_lzf(stored: bytes, size: int) -> bytes:
    # Only h5py has the code, and only as a filter of a dataset.
    if not len(stored) <= size <= MAX_LZF_SIZE:
        raise ValueError(
            f"expected LZF chunks of at most {MAX_LZF_SIZE} bytes, got one of {size} in "
            f"{len(stored)}"
        )
    with h5py.File("lzf", "w", driver="core", backing_store=False) as file:
        chunk = file.create_dataset("chunk", (size,), "u1", chunks=(size,), compression="lzf")
        chunk.id.write_direct_chunk((0,), stored)
        return bytes(chunk[()])


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
