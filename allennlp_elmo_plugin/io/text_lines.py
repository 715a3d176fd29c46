"""
Reading the lines of text files, which are in UTF-8 and may be compressed.
"""

import bz2
import gzip
import lzma
import os
import stat
import zlib
from typing import Any, BinaryIO, Callable, Dict, Iterator, Union, cast

from allennlp.common.checks import ConfigurationError
from allennlp.common.file_utils import cached_path

__all__ = ["BYTE_ORDER_MARK", "decode_lines", "open_text", "read_lines"]

MAX_LINE_BYTES = 1 << 28
"""Length of the longest line. A longer one shows that the file is no text."""

DECOMPRESSORS: Dict[str, Callable[[BinaryIO], Any]] = {
    ".gz": lambda file: gzip.GzipFile(fileobj=file),
    ".bz2": bz2.BZ2File,
    ".xz": lzma.LZMAFile,
}
DAMAGE = (OSError, EOFError, zlib.error, lzma.LZMAError)

BYTE_ORDER_MARK = "\ufeff"


def read_lines(
    location: Union[str, "os.PathLike[str]"], description: str = "a text file"
) -> Iterator[str]:
    """
    Reads the lines of a text file one by one.

    # Parameters

    location : `Union[str, PathLike]`
        Path or URL of the file.
    description : `str`, optional (default = `"a text file"`)
        What the file is for errors, such as `"the 'file' of the word cache"`.

    # Returns

    `Iterator[str]`
        The lines without their ends. See `decode_lines`.

    # Raises

    `ConfigurationError`
        If the file is missing, cannot be downloaded, is not a regular file, or is not text in
        UTF-8. The message names it.
    """
    try:
        path = str(cached_path(location))
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"Expected {description} at '{location}', but there is none. Check the path; a "
            f"relative one starts at the working directory, '{os.getcwd()}'."
        ) from error
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"Expected {description} at '{location}', but it could not be downloaded ({error}). "
            "Check the URL and the network, or give the path of a local copy."
        ) from error
    with open_text(path, description) as file:
        yield from decode_lines(file, str(location))


def open_text(path: str, description: str = "a text file") -> BinaryIO:
    """
    Opens a local text file, the bytes of which `decode_lines` decodes.

    # Parameters

    path : `str`
        Path of the file.
    description : `str`, optional (default = `"a text file"`)
        What the file is for errors.

    # Returns

    `BinaryIO`
        The open file.

    # Raises

    `ConfigurationError`
        If there is no regular file, or if it cannot be opened.
    """
    try:
        mode = os.stat(path).st_mode
        # Nothing else is opened: a pipe would wait for its writer, and a device may never end.
        if stat.S_ISREG(mode):
            return open(path, "rb")
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"Expected {description} at '{path}', but it cannot be opened ({error}). Check the "
            "path and its permissions."
        ) from error
    if stat.S_ISDIR(mode):
        raise ConfigurationError(
            f"Expected {description} at '{path}', found a folder. Name a file in it. Where several "
            "files are allowed, a pattern such as 'folder/*.txt' names all of them."
        )
    raise ConfigurationError(
        f"Expected {description} at '{path}', found a pipe or a device. Write the text to a file "
        "first."
    )


def decode_lines(file: BinaryIO, path: str) -> Iterator[str]:
    r"""
    Decodes the lines of a file, each of which ends with `\n` or `\r\n`.

    Other characters that Python takes for line ends, such as U+2028 and U+0085, are parts of their
    line, as for AllenNLP's `Vocabulary`. A byte order mark at the beginning is skipped.

    # Parameters

    file : `BinaryIO`
        The open file.
    path : `str`
        Path or URL of the file, which errors name. The file is decompressed if it ends in `.gz`,
        `.bz2` or `.xz`.

    # Returns

    `Iterator[str]`
        The lines without their ends.

    # Raises

    `ConfigurationError`
        If the file is damaged, not in UTF-8, or not text. The message names the line.
    """
    number = 0
    try:
        for line in _binary_lines(file, path):
            number += 1
            if b"\0" in line or len(line) > MAX_LINE_BYTES:
                raise ConfigurationError(
                    f"Expected '{path}' to be text in UTF-8, but line {number} "
                    + ("has a NUL byte" if b"\0" in line else f"exceeds {MAX_LINE_BYTES:,} bytes")
                    + ". Is it a binary file, damaged, or in UTF-16? Convert or restore it."
                )
            text = line.decode("utf-8")
            if number == 1 and text.startswith(BYTE_ORDER_MARK):
                text = text[1:]
            yield text
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"Expected '{path}' to be text in UTF-8, but line {number} is not ({error.reason} at "
            f"byte {error.start + 1} of the line). Convert the file to UTF-8."
        ) from error
    except DAMAGE as error:
        raise ConfigurationError(
            f"Expected '{path}' to be a text file (compressed if the name ends in "
            f"{', '.join(DECOMPRESSORS)}), but it cannot be read beyond line {number} ({error}). "
            "Restore the file, or rename it if it has the wrong suffix."
        ) from error


def _binary_lines(file: BinaryIO, path: str) -> Iterator[bytes]:
    decompress = DECOMPRESSORS.get(os.path.splitext(path)[1])
    if decompress is not None:
        if not os.fstat(file.fileno()).st_size:
            raise EOFError("the compressed file is empty")
        file = cast(BinaryIO, decompress(file))
    while True:
        line = file.readline(MAX_LINE_BYTES + 2)
        if not line:
            return
        if line.endswith(b"\n"):
            line = line[: -2 if line.endswith(b"\r\n") else -1]
        yield line
