"""
A file of any file system that is read by ranges of bytes.
"""

import io
from typing import Any

from allennlp.common.checks import ConfigurationError
from overrides import overrides

from allennlp_elmo_plugin.io.file_systems import explain_errors

__all__ = ["open_ranges"]


def open_ranges(
    file_system: Any, path: str, location: str, size: int, block_bytes: int, start: int = 0
) -> io.BufferedReader:
    """
    Opens a file that is fetched block by block.

    fsspec's own files fetch as much ahead as suits whole files, many times a shard.

    # Parameters

    file_system : `AbstractFileSystem`
        File system of the file.
    path : `str`
        Path in it.
    location : `str`
        Path or URL as the user knows it, for errors.
    size : `int`
        Size of the file.
    block_bytes : `int`
        The number of bytes that are fetched at once.
    start : `int`, optional (default = `0`)
        Position of the first byte that is read.

    # Returns

    `io.BufferedReader`
        The open file. Reading raises a `ConfigurationError` if the file cannot be read.
    """
    return io.BufferedReader(_RangedFile(file_system, path, location, size, start), block_bytes)


class _RangedFile(io.RawIOBase):
    """
    An unbuffered file, each `read` of which is one request to the file system.
    """

    def __init__(self, file_system: Any, path: str, location: str, size: int, start: int) -> None:
        super().__init__()
        self._file_system = file_system
        self._path = path
        self._location = location
        self._size = size
        self._position = start

    @overrides
    def readable(self) -> bool:
        return True

    @overrides
    def readinto(self, buffer: Any) -> int:
        end = min(self._position + len(buffer), self._size)
        if end <= self._position:
            return 0
        with explain_errors(self._location):
            block = self._file_system.cat_file(self._path, start=self._position, end=end)
        # A server may ignore the range, and a file may have become shorter.
        if len(block) != end - self._position:
            raise ConfigurationError(
                f"Expected {end - self._position:,} bytes of '{self._location}' from byte "
                f"{self._position:,} on, got {len(block):,}. Keep the files as they are until the "
                "run is complete, on a server that can send a part of a file."
            )
        buffer[: len(block)] = block
        self._position = end
        return len(block)
