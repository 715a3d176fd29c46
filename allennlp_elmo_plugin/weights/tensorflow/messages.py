"""
Reading the messages of Protocol Buffers that describe the tensors of a checkpoint.
"""

from typing import Dict, List, NamedTuple, Tuple, Union

__all__ = ["BundleEntry", "BundleHeader", "read_entry", "read_header", "read_varint"]

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Wire types. The others, groups, are in no message of a checkpoint."""

MAX_VARINT = 10
"""In bytes."""
MAX_DIMENSIONS = 32
LITTLE_ENDIAN = 0

Fields = Dict[int, List[Union[int, bytes]]]


class BundleHeader(NamedTuple):
    """
    The first entry of an index, TensorFlow's `BundleHeaderProto`.

    # Parameters

    num_shards : `int`
        Number of files that hold the tensors.
    is_little_endian : `bool`
        Byte order of the numbers.
    """

    num_shards: int
    is_little_endian: bool


class BundleEntry(NamedTuple):
    """
    The type, the shape and the place of a tensor, TensorFlow's `BundleEntryProto`.

    # Parameters

    dtype : `int`
        Number of the type in TensorFlow's `DataType`.
    shape : `Tuple[int, ...]`
        Shape of the tensor.
    shard : `int`
        Number of the file.
    offset, size : `int`
        Place in the file, in bytes.
    checksum : `int`
        Masked CRC-32C of the bytes.
    is_sliced : `bool`
        If `True`, the tensor is stored in slices under other names.
    """

    dtype: int
    shape: Tuple[int, ...]
    shard: int
    offset: int
    size: int
    checksum: int
    is_sliced: bool


def read_header(content: bytes) -> BundleHeader:
    """
    Reads the first entry of an index.

    # Parameters

    content : `bytes`
        The message.

    # Raises

    `ValueError`
        If it is no such message.
    """
    fields = _read_fields(content)
    return BundleHeader(_number(fields, 1), _number(fields, 2) == LITTLE_ENDIAN)


def read_entry(content: bytes) -> BundleEntry:
    """
    Reads the entry of a tensor.

    # Parameters

    content : `bytes`
        The message.

    # Raises

    `ValueError`
        If it is no such message.
    """
    fields = _read_fields(content)
    shape = _read_fields(_message(fields, 2))
    sizes = [_number(_read_fields(_as_bytes(dimension)), 1) for dimension in shape.get(2, [])]
    if len(sizes) > MAX_DIMENSIONS:
        raise ValueError(f"a tensor has {len(sizes)} dimensions")
    return BundleEntry(
        dtype=_number(fields, 1),
        shape=tuple(sizes),
        shard=_number(fields, 3),
        offset=_number(fields, 4),
        size=_number(fields, 5),
        checksum=_number(fields, 6),
        is_sliced=7 in fields,
    )


def read_varint(content: bytes, start: int) -> Tuple[int, int]:
    """
    Reads a number of variable length.

    # Parameters

    content : `bytes`
        Bytes that contain the number.
    start : `int`
        Place of its first byte.

    # Returns

    `Tuple[int, int]`
        The number and the place after it.

    # Raises

    `ValueError`
        If the bytes end before the number does, or if it has more than 64 bits.
    """
    number = 0
    for index, byte in enumerate(content[start : start + MAX_VARINT]):
        number |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            if number >> 64:
                break
            return number, start + index + 1
    raise ValueError("a number is cut off or too long")


def _read_fields(content: bytes) -> Fields:
    """Reads the fields of a message by their numbers, with all values of each."""
    fields: Fields = {}
    start = 0
    while start < len(content):
        key, start = read_varint(content, start)
        value: Union[int, bytes]
        if key & 7 == VARINT:
            value, start = read_varint(content, start)
        else:
            size = {FIXED64: 8, FIXED32: 4}.get(key & 7)
            if key & 7 == BYTES:
                size, start = read_varint(content, start)
            if size is None or size > len(content) - start:
                raise ValueError("a field of a message is cut off or of an unknown type")
            value = content[start : start + size]
            start += size
            if key & 7 != BYTES:
                value = int.from_bytes(value, "little")
        fields.setdefault(key >> 3, []).append(value)
    return fields


def _number(fields: Fields, field: int) -> int:
    value = fields.get(field, [0])[-1]
    if not isinstance(value, int) or value >> 63:
        raise ValueError(f"field {field} of a message is no whole number from 0 to 2 ** 63 - 1")
    return value


def _message(fields: Fields, field: int) -> bytes:
    return _as_bytes(fields.get(field, [b""])[-1])


def _as_bytes(value: Union[int, bytes]) -> bytes:
    if isinstance(value, int):
        raise ValueError("a message has a number in place of a message")
    return value
