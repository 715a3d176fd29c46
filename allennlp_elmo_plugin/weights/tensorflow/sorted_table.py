"""
Reading the sorted table in which a checkpoint lists its tensors.

The format is LevelDB's: blocks of entries with prefix-compressed keys, an index block with the
places of the others, and a footer. TensorFlow writes the blocks without compression.
"""

from typing import Dict, Iterator, Tuple

import google_crc32c

from allennlp_elmo_plugin.weights.tensorflow.masked_checksum import unmask
from allennlp_elmo_plugin.weights.tensorflow.messages import read_varint

__all__ = ["read_table"]

FOOTER_SIZE = 48
MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")

CHECKSUM_SIZE = 4
UNCOMPRESSED = 0

MAX_ENTRIES = 100_000
MAX_KEY = 1000
"""In bytes. Prefix compression can make long keys of a short file."""


def read_table(content: bytes) -> Dict[bytes, bytes]:
    """
    Reads all entries of a table.

    # Parameters

    content : `bytes`
        The whole file.

    # Returns

    `Dict[bytes, bytes]`
        Values by their keys, in the order of the keys.

    # Raises

    `ValueError`
        If it is no such table, is cut off or damaged, or has more than 100,000 entries.
    """
    if len(content) < FOOTER_SIZE or not content.endswith(MAGIC):
        raise ValueError("it does not end as the index of a checkpoint does")
    start = len(content) - FOOTER_SIZE
    # The first of the two blocks is for descriptions of the table, which checkpoints lack.
    _, start = _read_handle(content, start)
    (offset, size), _ = _read_handle(content, start)
    entries: Dict[bytes, bytes] = {}
    last = None
    for _, handle in _read_entries(_read_block(content, offset, size)):
        (offset, size), _ = _read_handle(handle, 0)
        for key, value in _read_entries(_read_block(content, offset, size)):
            # A block that repeats would make a large table of a small file.
            if last is not None and key <= last:
                raise ValueError("its keys are not in order")
            if len(entries) == MAX_ENTRIES:
                raise ValueError(f"it has more than {MAX_ENTRIES} entries")
            entries[key] = value
            last = key
    return entries


def _read_handle(content: bytes, start: int) -> Tuple[Tuple[int, int], int]:
    """Returns the place and size of a block, and where their description ends."""
    offset, start = read_varint(content, start)
    size, start = read_varint(content, start)
    return (offset, size), start


def _read_block(content: bytes, offset: int, size: int) -> bytes:
    end = offset + size
    stored = content[end + 1 : end + 1 + CHECKSUM_SIZE]
    if len(stored) < CHECKSUM_SIZE:
        raise ValueError("a block is cut off")
    found = google_crc32c.value(content[offset : end + 1])
    if found != unmask(int.from_bytes(stored, "little")):
        raise ValueError("the checksum of a block does not match")
    if content[end] != UNCOMPRESSED:
        raise ValueError("a block is compressed, which TensorFlow does not do by itself")
    return content[offset:end]


def _read_entries(block: bytes) -> Iterator[Tuple[bytes, bytes]]:
    # A block ends with the places at which a search may start, and their number.
    num_restarts = int.from_bytes(block[-4:], "little")
    end = len(block) - 4 - 4 * num_restarts
    if end < 0:
        raise ValueError("a block is shorter than it says")
    start, key = 0, b""
    while start < end:
        shared, start = read_varint(block, start)
        unshared, start = read_varint(block, start)
        size, start = read_varint(block, start)
        if shared > len(key) or unshared + size > end - start:
            raise ValueError("an entry is cut off")
        if shared + unshared > MAX_KEY:
            raise ValueError(f"a name has more than {MAX_KEY} bytes")
        key = key[:shared] + block[start : start + unshared]
        start += unshared
        yield key, block[start : start + size]
        start += size
