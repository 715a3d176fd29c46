"""
Finds the datasets and attributes of a small HDF5 file without the HDF5 library.

The library trusts what it reads: a damaged or crafted file can crash it, make it loop, or make it
ask for all memory. These functions read the form that `h5py` writes for a few datasets without
chunks in the root group, if `libver` is "earliest", and nothing else: a superblock of version 0, a
B-tree of one leaf, object headers of version 1, and contiguous storage. Names of structures are
those of the "HDF5 File Format Specification".
"""

import struct
from typing import Dict, Iterator, List, NamedTuple, Tuple, Union

import numpy

__all__ = ["FileBytes", "Hdf5Structure", "StoredArray", "UnexpectedBytes"]

SIGNATURE = b"\x89HDF\r\n\x1a\n"
DATASPACE, DATATYPE, LAYOUT, ATTRIBUTE, CONTINUATION, SYMBOL_TABLE = 1, 3, 8, 12, 16, 17

# Class and version, first byte of the bit field, size.
DTYPES = {
    (0x10, 0x00, 1): "uint8",
    (0x10, 0x00, 4): "uint32",
    (0x10, 0x08, 8): "int64",
    (0x11, 0x20, 2): "float16",
    (0x11, 0x20, 4): "float32",
    (0x11, 0x20, 8): "float64",
}
TEXT = 0x19

# Far more than these files have, so that a crafted one costs little time.
MAX_OBJECTS, MAX_CHUNKS, MAX_CHUNK_BYTES, MAX_NAME_BYTES, MAX_RANK = 16, 8, 1 << 13, 64, 4


class UnexpectedBytes(Exception):
    """An error for bytes that are not in the expected form; its text names the difference."""


class FileBytes(NamedTuple):
    """
    The bytes of a file without a large block in the middle.

    # Parameters

    before : `bytes`
        Bytes before the block.
    after : `bytes`
        Bytes after it.
    after_start : `int`
        Offset of `after` in the file.
    """

    before: bytes
    after: bytes
    after_start: int

    def at(self, offset: int, length: int) -> bytes:
        """
        Returns the bytes at an offset of the file.

        # Raises

        `UnexpectedBytes`
            When some of them are in the block or beyond the end.
        """
        part, start = self.before, offset
        if offset >= self.after_start:
            part, start = self.after, offset - self.after_start
        if start + length > len(part):
            raise UnexpectedBytes(f"{length} bytes at {offset} are outside of the file's structure")
        return part[start : start + length]

    def unpack(self, form: str, offset: int) -> Tuple:
        """
        Returns numbers at an offset of the file.

        # Raises

        `UnexpectedBytes`
            When some of them are in the block or beyond the end.
        """
        return struct.unpack(form, self.at(offset, struct.calcsize(form)))


class StoredArray(NamedTuple):
    """
    The place of a dataset in a file.

    # Parameters

    dtype : `numpy.dtype`
        Type of its numbers.
    shape : `Tuple[int, ...]`
        Shape, without a 0.
    start : `int`
        Offset of its first byte.
    """

    dtype: numpy.dtype
    shape: Tuple[int, ...]
    start: int

    @property
    def num_bytes(self) -> int:
        """The size in bytes."""
        size = self.dtype.itemsize
        for length in self.shape:
            size *= length
        return size

    def read(self, content: FileBytes) -> numpy.ndarray:
        """
        Returns the numbers, read-only.

        # Raises

        `UnexpectedBytes`
            When some of them are in the block or beyond the end.
        """
        stored = content.at(self.start, self.num_bytes)
        return numpy.frombuffer(stored, self.dtype).reshape(self.shape)


class Hdf5Structure:
    """
    The datasets and attributes of the root group of an HDF5 file.

    # Parameters

    content : `FileBytes`
        Bytes of the file. Numbers of datasets are not read, so they may be missing.

    # Raises

    `UnexpectedBytes`
        When the file has another form.
    """

    arrays: Dict[bytes, StoredArray]
    """The place of each dataset."""
    attributes: Dict[bytes, Union[bytes, float]]
    """Each attribute of the root group: a text in UTF-8, or a number."""

    def __init__(self, content: FileBytes) -> None:
        self._content = content
        form = "<8s3Bx3Bx2HI4QQQ"
        signature, *versions = content.unpack(form, 0)
        sizes, base, root = tuple(versions[4:6]), versions[9], versions[-1]
        _expect("signature", signature, SIGNATURE)
        _expect("versions", tuple(versions[:4]), (0, 0, 0, 0))
        _expect("sizes of addresses and lengths", sizes, (8, 8))
        _expect("base address", base, 0)
        self.arrays, self.attributes = {}, {}
        for kind, message in self._messages(root):
            if kind == SYMBOL_TABLE:
                for name, address in self._objects(*_unpack("<QQ", message)):
                    self.arrays[name] = self._array(address)
            elif kind == ATTRIBUTE:
                name, value = self._attribute(message)
                self.attributes[name] = value

    def _messages(self, address: int) -> List[Tuple[int, bytes]]:
        """Returns the type and the data of each message of an object header."""
        version, size = self._content.unpack("<BxxxxxxxI4x", address)
        _expect("version of an object header", version, 1)
        chunks, messages = [(address + 16, size)], []
        for number, (start, size) in enumerate(chunks):
            if number >= MAX_CHUNKS or size > MAX_CHUNK_BYTES:
                raise UnexpectedBytes("an object header is too long")
            chunk, offset = self._content.at(start, size), 0
            while offset + 8 <= size:
                kind, length = _unpack("<HH4x", chunk[offset:])
                message = chunk[offset + 8 : offset + 8 + length]
                messages.append((kind, message))
                if kind == CONTINUATION:
                    chunks.append(_unpack("<QQ", message))
                offset += 8 + length
        return messages

    def _objects(self, tree: int, heap: int) -> Iterator[Tuple[bytes, int]]:
        """Yields the name of each object in the group and the address of its header."""
        form = "<4sBBHQQQQ"
        signature, kind, level, entries, *_, node = self._content.unpack(form, tree)
        _expect("B-tree", (signature, kind, level, entries), (b"TREE", 0, 0, 1))
        signature, version, *_, names = self._content.unpack("<4sB3xQQQ", heap)
        _expect("local heap", (signature, version), (b"HEAP", 0))
        signature, version, count = self._content.unpack("<4sBxH", node)
        _expect("symbol table node", (signature, version), (b"SNOD", 1))
        if count > MAX_OBJECTS:
            raise UnexpectedBytes(f"it has {count} objects")
        for number in range(count):
            name, address = self._content.unpack("<QQ24x", node + 8 + 40 * number)
            yield self._name(names + name), address

    def _name(self, start: int) -> bytes:
        for length in range(MAX_NAME_BYTES):
            if self._content.at(start + length, 1) == b"\0":
                return self._content.at(start, length)
        raise UnexpectedBytes("a name is too long")

    def _array(self, address: int) -> StoredArray:
        messages = dict(self._messages(address))
        for kind, name in ((DATASPACE, "dataspace"), (DATATYPE, "datatype"), (LAYOUT, "layout")):
            if kind not in messages:
                raise UnexpectedBytes(f"an object has no {name}")
        kind, bits, size = _unpack("<BB2xI", messages[DATATYPE])
        if (kind, bits, size) not in DTYPES:
            raise UnexpectedBytes(f"a dataset has numbers of an unknown type, {size} bytes each")
        shape = _shape(messages[DATASPACE])
        version, storage, start, num_bytes = _unpack("<BBQQ", messages[LAYOUT])
        _expect("storage", (version, storage), (3, 1))
        array = StoredArray(numpy.dtype(DTYPES[kind, bits, size]), shape, start)
        _expect("size of a dataset in bytes", num_bytes, array.num_bytes)
        return array

    def _attribute(self, message: bytes) -> Tuple[bytes, Union[bytes, float]]:
        version, *sizes = _unpack("<Bx3H", message)
        _expect("version of an attribute", version, 1)
        parts, offset = [], 8
        for size in sizes:
            parts.append(message[offset : offset + size])
            offset += size + -size % 8
        name, datatype, _ = parts
        kind, bits, size = _unpack("<BB2xI", datatype)
        if kind == TEXT:
            length, address, number = _unpack("<IQI", message[offset:])
            return name.rstrip(b"\0"), self._heap_object(address, number)[:length]
        _expect("type of an attribute", DTYPES.get((kind, bits, size)), "float64")
        return name.rstrip(b"\0"), _unpack("<d", message[offset:])[0]

    def _heap_object(self, address: int, number: int) -> bytes:
        """Returns an object of a global heap."""
        signature, version, size = self._content.unpack("<4sB3xQ", address)
        _expect("global heap", (signature, version), (b"GCOL", 1))
        offset, end = 16, min(size, MAX_CHUNK_BYTES)
        while offset + 16 <= end:
            index, length = self._content.unpack("<H6xQ", address + offset)
            if index == number:
                return self._content.at(address + offset + 16, min(length, MAX_CHUNK_BYTES))
            offset += 16 + length + -length % 8
        raise UnexpectedBytes("a text is missing")


def _shape(message: bytes) -> Tuple[int, ...]:
    version, rank = _unpack("<BB6x", message)
    _expect("version of a dataspace", version, 1)
    if rank > MAX_RANK:
        raise UnexpectedBytes(f"a dataset has {rank} dimensions")
    shape = _unpack(f"<{rank}Q", message[8:])
    if 0 in shape:
        raise UnexpectedBytes(f"a dataset has the shape {shape}")
    return shape


def _unpack(form: str, content: bytes) -> Tuple:
    size = struct.calcsize(form)
    if len(content) < size:
        raise UnexpectedBytes(f"expected {size} bytes of a message, found {len(content)}")
    return struct.unpack(form, content[:size])


def _expect(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise UnexpectedBytes(f"expected {expected} as {what}, found {found}")
