"""TensorFlow checkpoints written byte by byte, also such as TensorFlow would never write."""

from pathlib import Path
from typing import Dict, Iterable, List, Optional, Tuple

import numpy

from tests.support.crc import CRC32C, crc_by_bits

__all__ = [
    "TENSORFLOW_DATA",
    "block",
    "bundle_entries",
    "masked",
    "message",
    "table",
    "varint",
    "write_bundle",
]

TENSORFLOW_DATA = Path(__file__).parent.parent / "fixtures" / "tensorflow"
"""Folder with the checkpoints that TensorFlow wrote."""

MAGIC = bytes.fromhex("57fb808b247547db")
DATA_TYPES = {"float32": 1, "float64": 2, "float16": 19, "int64": 9}


def masked(checksum: int) -> int:
    """Returns the form in which a checksum is stored."""
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) % 2**32


def varint(number: int) -> bytes:
    """Returns a number of variable length."""
    content = bytearray()
    while number >= 128:
        content.append(number % 128 + 128)
        number //= 128
    return bytes([*content, number])


def message(*fields: Tuple[int, object]) -> bytes:
    """Returns a message with numbers, messages, and checksums, which are 4 bytes."""
    parts = []
    for number, value in fields:
        if isinstance(value, int):
            parts.append(varint(number << 3) + varint(value))
        elif isinstance(value, bytearray):
            parts.append(varint(number << 3 | 5) + bytes(value))
        else:
            assert isinstance(value, bytes)
            parts.append(varint(number << 3 | 2) + varint(len(value)) + value)
    return b"".join(parts)


def block(content: bytes, compression: int = 0) -> bytes:
    """Returns the content of a block with its type and checksum."""
    typed = content + bytes([compression])
    return typed + masked(crc_by_bits(typed, CRC32C)).to_bytes(4, "little")


def _entries(pairs: Iterable[Tuple[bytes, bytes]], restart_interval: int) -> bytes:
    content, restarts, last = bytearray(), [], b""
    for index, (key, value) in enumerate(pairs):
        shared = 0
        if index % restart_interval == 0:
            restarts.append(len(content))
        else:
            while shared < min(len(key), len(last)) and key[shared] == last[shared]:
                shared += 1
        content += varint(shared) + varint(len(key) - shared) + varint(len(value))
        content += key[shared:] + value
        last = key
    for number in [*restarts, len(restarts)]:
        content += number.to_bytes(4, "little")
    return bytes(content)


def table(
    pairs: List[Tuple[bytes, bytes]], per_block: int = 1000, restart_interval: int = 16
) -> bytes:
    """Returns a table with some number of entries in each block."""
    content, handles = b"", []

    def add(pairs: List[Tuple[bytes, bytes]], interval: int) -> bytes:
        nonlocal content
        handle = varint(len(content))
        entries = _entries(pairs, interval)
        content += block(entries)
        return handle + varint(len(entries))

    for start in range(0, len(pairs), per_block):
        some = pairs[start : start + per_block]
        handles.append((some[-1][0], add(some, restart_interval)))
    footer = add([], 1) + add(handles, 1)
    return content + footer.ljust(40, b"\0") + MAGIC


def bundle_entries(
    tensors: Dict[str, numpy.ndarray], num_shards: int = 1
) -> List[Tuple[bytes, bytes]]:
    """Returns the entries of an index, whose tensors are in the first shard one after another."""
    entries, offset = [(b"", message((1, num_shards), (3, message((1, 1)))))], 0
    for name, array in sorted(tensors.items()):
        content = array.tobytes()
        shape = message(*((2, message((1, size))) for size in array.shape))
        checksum = bytearray(masked(crc_by_bits(content, CRC32C)).to_bytes(4, "little"))
        entry = message(
            (1, DATA_TYPES[str(array.dtype)]),
            (2, shape),
            (4, offset),
            (5, len(content)),
            (6, checksum),
        )
        entries.append((name.encode(), entry))
        offset += len(content)
    return entries


def write_bundle(
    prefix: Path,
    tensors: Dict[str, numpy.ndarray],
    entries: Optional[List[Tuple[bytes, bytes]]] = None,
) -> Path:
    """
    Writes a checkpoint and returns the path of its index.

    If `entries` are given, they are the index, whatever the tensors.
    """
    prefix.parent.mkdir(parents=True, exist_ok=True)
    data = b"".join(array.tobytes() for _, array in sorted(tensors.items()))
    prefix.with_name(prefix.name + ".data-00000-of-00001").write_bytes(data)
    index = prefix.with_name(prefix.name + ".index")
    index.write_bytes(table(bundle_entries(tensors) if entries is None else entries))
    return index
