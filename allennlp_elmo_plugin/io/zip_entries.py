"""
Uncompressed zip files that grow by appending, and need no list of their entries in memory.

An entry is described where it lies, and all of them again at the end of the file. So the list at
the end can be made from the entries.
"""

import struct
from typing import Iterator, List, NamedTuple
from zlib import crc32

from allennlp_elmo_plugin.io.journaled_file import JournaledFile

__all__ = ["ZipEntry", "read_entries", "write_directory", "write_entry"]

ENTRY = struct.Struct("<IHHHIIIIHH")
ENTRY_SIGNATURE = 0x04034B50
DIRECTORY = struct.Struct("<IHHHHIIIIHHHHHII")
DIRECTORY_SIGNATURE = 0x02014B50
END = struct.Struct("<IHHHHIIH")
END_SIGNATURE = 0x06054B50
LARGE_END = struct.Struct("<IQHHIIQQQQ")
LARGE_END_SIGNATURE = 0x06064B50
LOCATOR = struct.Struct("<IIQI")
LOCATOR_SIGNATURE = 0x07064B50
# Of an entry: two sizes of 64 bits, as numpy.savez writes them whatever they are.
SIZES = struct.Struct("<HHQQ")
SIZES_ID = 1

LARGE_VERSION = 45
UTF_8 = 0x800
# The first moment that a zip file can name, since equal vectors should be equal files.
TIME = 0x00210000
MAX_16, MAX_32 = 0xFFFF, 0xFFFFFFFF
CHUNK_SIZE = 1 << 16


class ZipEntry(NamedTuple):
    """
    An entry of a zip file.

    # Parameters

    name : `bytes`
        The name in UTF-8.
    offset : `int`
        Position of its description.
    size : `int`
        Number of bytes of its content.
    checksum : `int`
        CRC-32 of its content.
    """

    name: bytes
    offset: int
    size: int
    checksum: int


def write_entry(file: JournaledFile, name: bytes, parts: List[bytes]) -> None:
    """
    Appends an entry.

    # Parameters

    file : `JournaledFile`
        The zip file, at its end.
    name : `bytes`
        The name in UTF-8, of at most 65,535 bytes.
    parts : `List[bytes]`
        Content in parts, of which each may be any flat buffer of bytes.
    """
    size = sum(len(part) for part in parts)
    checksum = 0
    for part in parts:
        checksum = crc32(part, checksum)
    described = ENTRY.pack(
        *(ENTRY_SIGNATURE, LARGE_VERSION, UTF_8, 0, TIME),
        *(checksum, MAX_32, MAX_32, len(name), SIZES.size),
    )
    file.write(described + name + SIZES.pack(SIZES_ID, SIZES.size - 4, size, size))
    for part in parts:
        file.write(part)


def read_entries(file: JournaledFile, end: int) -> Iterator[ZipEntry]:
    """
    Yields the entries that `write_entry` wrote, in order.

    # Parameters

    file : `JournaledFile`
        The zip file. Its position may be changed between two entries.
    end : `int`
        Position at which the entries end.

    # Returns

    `Iterator[ZipEntry]`
    """
    offset = 0
    while offset < end:
        file.seek(offset)
        described = ENTRY.unpack(file.read(ENTRY.size))
        name = file.read(described[8])
        size = SIZES.unpack(file.read(SIZES.size))[3]
        yield ZipEntry(name, offset, size, described[5])
        offset += ENTRY.size + len(name) + SIZES.size + size


def write_directory(file: JournaledFile, end: int) -> None:
    """
    Completes a zip file.

    # Parameters

    file : `JournaledFile`
        The zip file.
    end : `int`
        Position at which the entries end.
    """
    chunk = bytearray()
    start, num_entries = end, 0
    for entry in read_entries(file, start):
        chunk += _describe(entry)
        num_entries += 1
        if len(chunk) > CHUNK_SIZE:
            file.seek(end)
            file.write(chunk)
            end += len(chunk)
            chunk.clear()
    file.seek(end)
    file.write(chunk + _describe_end(num_entries, start, end + len(chunk)))


def _describe(entry: ZipEntry) -> bytes:
    large = [value for value in (entry.size, entry.size, entry.offset) if value >= MAX_32]
    extra = struct.pack(f"<HH{len(large)}Q", SIZES_ID, 8 * len(large), *large) if large else b""
    described = DIRECTORY.pack(
        *(DIRECTORY_SIGNATURE, LARGE_VERSION, LARGE_VERSION, UTF_8, 0, TIME, entry.checksum),
        *(min(entry.size, MAX_32), min(entry.size, MAX_32), len(entry.name), len(extra)),
        *(0, 0, 0, 0, min(entry.offset, MAX_32)),
    )
    return described + entry.name + extra


def _describe_end(num_entries: int, start: int, end: int) -> bytes:
    size = end - start
    described = b""
    if num_entries >= MAX_16 or end >= MAX_32:
        described = LARGE_END.pack(
            *(LARGE_END_SIGNATURE, LARGE_END.size - 12, LARGE_VERSION, LARGE_VERSION, 0, 0),
            *(num_entries, num_entries, size, start),
        ) + LOCATOR.pack(LOCATOR_SIGNATURE, 0, end, 1)
    short = min(num_entries, MAX_16)
    return described + END.pack(
        END_SIGNATURE, 0, 0, short, short, min(size, MAX_32), min(start, MAX_32), 0
    )
