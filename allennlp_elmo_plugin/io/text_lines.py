"""
Reading the lines of text files, which are in UTF-8 and may be compressed.
"""

import bz2
import gzip
import lzma
import os
import zlib
from codecs import BOM_UTF8
from typing import Any, BinaryIO, Callable, Dict, Iterable, Iterator, Optional, Tuple, Union, cast

from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.io.find_file import find_file
from allennlp_elmo_plugin.io.regular_file import require_regular_file

__all__ = [
    "BYTE_ORDER_MARK",
    "decode_lines",
    "open_text",
    "read_lines",
    "split_at_carriage_returns",
    "without_compression_suffix",
]

BLOCK_BYTES = 1 << 14

MAX_LINE_BYTES = 1 << 28
"""Length of the longest line. A longer one shows that the file is no text."""

DECOMPRESSORS: Dict[str, Callable[[BinaryIO], Any]] = {
    ".gz": lambda file: gzip.GzipFile(fileobj=file),
    ".bz2": bz2.BZ2File,
    ".xz": lzma.LZMAFile,
}
DAMAGE = (OSError, EOFError, zlib.error, lzma.LZMAError)

BYTE_ORDER_MARK = BOM_UTF8.decode("utf-8")


def read_lines(
    location: Union[str, "os.PathLike[str]"], description: str = "a text file"
) -> Iterator[str]:
    """
    Reads the lines of a text file one by one.

    # Parameters

    location : `Union[str, PathLike]`
        Path or URL of the file.
    description : `str`, optional (default = `"a text file"`)
        Description of the file in errors, such as `"the 'file' of the word cache"`.

    # Returns

    `Iterator[str]`
        The lines without their ends. See `decode_lines`.

    # Raises

    `ConfigurationError`
        If the file is missing, cannot be downloaded, is not a regular file, or is not text in
        UTF-8. The message names it.
    """
    with open_text(find_file(location, description), description) as file:
        yield from decode_lines(file, str(location))


def open_text(path: str, description: str = "a text file") -> BinaryIO:
    """
    Opens a local text file, the bytes of which `decode_lines` decodes.

    # Parameters

    path : `str`
        Path of the file.
    description : `str`, optional (default = `"a text file"`)
        Description of the file in errors.

    # Returns

    `BinaryIO`
        The open file.

    # Raises

    `ConfigurationError`
        If there is no regular file, or if it cannot be opened.
    """
    require_regular_file(path, description)
    try:
        return open(path, "rb")
    except OSError as error:
        raise ConfigurationError(
            f"Expected {description} at '{path}', but it cannot be opened ({error}). Check its "
            "permissions."
        ) from error


def decode_lines(file: BinaryIO, path: str, name: Optional[str] = None) -> Iterator[str]:
    r"""
    Decodes the lines of a file, each of which ends with `\n` or `\r\n`.

    Other characters that Python takes for line ends, such as U+2028 and U+0085, are parts of their
    line, as for AllenNLP's `Vocabulary`. A byte order mark at the beginning is skipped.

    # Parameters

    file : `BinaryIO`
        The open file.
    path : `str`
        Path or URL of the file. The file is decompressed if it ends in `.gz`, `.bz2` or `.xz`.
    name : `str`, optional (default = `None`)
        Name of the file in errors. `None` is `path`.

    # Returns

    `Iterator[str]`
        The lines without their ends.

    # Raises

    `ConfigurationError`
        If the file is damaged or not in UTF-8. The message names the line.
    """
    number = 0
    name = path if name is None else name
    try:
        for block in _blocks(file, path):
            fault = _find_fault(block)
            # The lines before the fault are read first, so the reader learns what is whole.
            end = len(block) if fault is None else block.rfind(b"\n", 0, fault[0]) + 1
            lines = block[:end].decode("utf-8").replace("\r\n", "\n").split("\n")
            if not lines[-1]:
                lines.pop()
            yield from lines
            number += len(lines)
            if fault is not None:
                raise ConfigurationError(
                    f"Expected '{name}' to be text in UTF-8, but line {number + 1} {fault[1]}. Is "
                    "it a binary file, damaged, or in another encoding? Convert or restore it."
                )
    except DAMAGE as error:
        raise ConfigurationError(
            f"Expected '{name}' to be a text file (compressed if the name ends in "
            f"{', '.join(DECOMPRESSORS)}), but it cannot be read beyond line {number} ({error}). "
            "Restore the file, or rename it if it has the wrong suffix."
        ) from error


def split_at_carriage_returns(lines: Iterable[str]) -> Iterator[str]:
    r"""
    Splits lines at each `\r` as well, as Python does when it reads a text file.

    # Parameters

    lines : `Iterable[str]`
        Lines from `decode_lines`.

    # Returns

    `Iterator[str]`
        The lines. The last one has lost a `\r` at its end.
    """
    # A file that ends in `\r` has no empty line behind it, but an empty line may stand between.
    is_empty_line_due = False
    for line in lines:
        if is_empty_line_due:
            yield ""
        parts = line.split("\r")
        is_empty_line_due = len(parts) > 1 and not parts[-1]
        yield from parts[:-1] if is_empty_line_due else parts


def without_compression_suffix(path: str) -> str:
    """
    Returns the path that a file has when it is decompressed.

    # Parameters

    path : `str`
        Path or URL of a file.

    # Returns

    `str`
        The path without `.gz`, `.bz2` or `.xz`.
    """
    root, suffix = os.path.splitext(path)
    return root if suffix in DECOMPRESSORS else path


def _blocks(file: BinaryIO, path: str) -> Iterator[bytes]:
    """Yields the bytes of the file in blocks of whole lines."""
    decompress = DECOMPRESSORS.get(os.path.splitext(path)[1])
    if decompress is not None:
        if not os.fstat(file.fileno()).st_size:
            raise EOFError("the compressed file is empty")
        file = cast(BinaryIO, decompress(file))
    # The beginning of a line that is not complete yet, joined once at its end.
    parts = [file.read(len(BOM_UTF8))]
    if parts == [BOM_UTF8]:
        parts = []
    num_bytes = 0
    while True:
        block = file.read(BLOCK_BYTES)
        end = block.rfind(b"\n") + 1
        if end or not block:
            yield b"".join([*parts, block[:end]])
            parts, num_bytes = [], 0
        if not block:
            return
        parts.append(block[end:])
        num_bytes += len(block) - end
        if num_bytes > MAX_LINE_BYTES:
            raise OSError(f"the next line has more than {MAX_LINE_BYTES:,} bytes")


def _find_fault(block: bytes) -> Optional[Tuple[int, str]]:
    """Returns the place and the description of the first byte that is not text."""
    try:
        block.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start, f"is not ({error.reason})"
    return None
