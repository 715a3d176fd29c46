r"""
Copying the bytes of a shard's sentences to a file of their own.

Any two shards that meet agree where the sentences of the second begin, since a few bytes around a
place tell whether a record begins there:

- `jsonl`: at the beginning of each line.
- `lines`: the same, but not behind `\r\r\n`, which the parser takes for two ends of lines.
- `conllu`: behind a blank line.
- `fasta`: at a line that opens with `>`.

A place where a record begins may be passed over, as behind a blank line of more than `CONTEXT`
bytes. Then its record belongs to the shard of the one before it.
"""

from codecs import BOM_UTF8
from pathlib import Path
from typing import BinaryIO, Callable, Dict, Iterator, Optional, cast

from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.extraction.distributed.input_files import describe_file
from allennlp_elmo_plugin.extraction.distributed.shard import Shard
from allennlp_elmo_plugin.io.conllu_sentences import DECLARED_COLUMNS
from allennlp_elmo_plugin.io.disk_errors import disk_error
from allennlp_elmo_plugin.io.file_systems import open_file_system
from allennlp_elmo_plugin.io.ranged_file import open_ranges
from allennlp_elmo_plugin.io.text_lines import MAX_LINE_BYTES, without_compression_suffix

__all__ = ["copy_stretch"]

CONTEXT = 128
"""The number of bytes before and behind a place that tell whether a record begins there."""

PIECE_BYTES = 1 << 16
"""Length of the parts in which a long line is read."""

HEAD_BYTES = 1 << 12
"""The number of bytes with the first line of CoNLL-U Plus."""

MARGIN_BYTES = 1 << 14
"""The number of bytes behind a shard that its last record is expected to need."""

MAX_BLOCK_BYTES = 1 << 23
"""The most bytes that are fetched at once."""


def copy_stretch(shard: Shard, input_format: str, folder: Path) -> Path:
    """
    Copies the bytes of the records that begin in a shard.

    The copy of another part than the first has the line with the names of the columns in front, if
    the file is in CoNLL-U Plus, and a second byte order mark if the part opens with one.

    # Parameters

    shard : `Shard`
        The shard. Its sentences need not be counted yet.
    input_format : `str`
        Format of the file, as `choose_format` returns it.
    folder : `Path`
        An existing folder on this machine for temporary files.

    # Returns

    `Path`
        Path of the copy, whose name has the endings of the original. It is empty if no record
        begins in the shard, as in the middle of a long line.

    # Raises

    `ConfigurationError`
        If the file cannot be read, if it is not the version from which the shard was cut, if a
        line is too long for a text, or if columns are named elsewhere than in the first line.
    `OSError`
        If the copy cannot be written, for example because the disk is full.
    """
    size = _require_same_version(shard)
    copy = folder / (shard.id + _endings(shard.location))
    is_whole = shard.end - shard.start == size
    pieces = _whole(shard, size) if is_whole else _stretch(shard, size, input_format)
    try:
        with open(copy, "wb") as file:
            file.writelines(pieces)
    except OSError as error:
        outcome = f", so a part of '{shard.location}' could not be copied there."
        raise disk_error(error, copy.absolute(), outcome) from error
    _require_same_version(shard)
    return copy


def _require_same_version(shard: Shard) -> int:
    """Returns the size of the file if it is still the one from which the shard was cut."""
    found = describe_file(shard.location)
    if found.version != shard.version:
        raise ConfigurationError(
            f"Expected '{shard.location}' to stay as it was when the extraction was planned, but "
            f"its size (now {found.size:,} bytes), its tag or its time of change differs. Restore "
            "the file, or start again with another output, and change it afterwards."
        )
    return found.size


def _endings(location: str) -> str:
    """Returns the ending of a location's name, and that of its compression."""
    name = location.rsplit("/", 1)[-1]
    plain = without_compression_suffix(name)
    return Path(plain).suffix + name[len(plain) :]


def _open(shard: Shard, size: int, start: int, block_bytes: int) -> BinaryIO:
    file_system, path = open_file_system(shard.location)
    opened = open_ranges(file_system, path, shard.location, size, block_bytes, start)
    return cast(BinaryIO, opened)


def _whole(shard: Shard, size: int) -> Iterator[bytes]:
    with _open(shard, size, 0, min(size, MAX_BLOCK_BYTES)) as file:
        yield from iter(lambda: file.read(MAX_BLOCK_BYTES), b"")


def _stretch(shard: Shard, size: int, input_format: str) -> Iterator[bytes]:
    """Yields the bytes of the shard's records, with what the parser needs in front of them."""
    columns = _columns(shard, size) if input_format == "conllu" else None
    pieces = _records(shard, size, BEGINS[input_format], columns)
    first = next(pieces, b"")
    if shard.start and first:
        if columns:
            yield columns + b"\n\n"
        elif first.startswith(BOM_UTF8):
            # The reader of the copy skips one.
            yield BOM_UTF8
    yield first
    yield from pieces


def _records(
    shard: Shard, size: int, begins: Callable[[bytes, bytes], bool], columns: Optional[bytes]
) -> Iterator[bytes]:
    """Yields the lines of the records that begin in the shard, long ones in parts."""
    position = max(0, shard.start - CONTEXT)
    block_bytes = min(shard.end - position + MARGIN_BYTES, MAX_BLOCK_BYTES)
    is_inside = shard.start == 0
    before = b""
    num_line_bytes = 0
    with _open(shard, size, position, block_bytes) as file:
        for piece in iter(lambda: file.readline(PIECE_BYTES), b""):
            is_line = before.endswith(b"\n")
            is_begin = is_line and position >= shard.start and begins(before, piece[:CONTEXT])
            if position >= shard.end and (is_begin or not is_inside):
                return
            is_inside = is_inside or is_begin
            if is_inside:
                num_line_bytes = len(piece) + (0 if is_line else num_line_bytes)
                _require_line_length(shard, num_line_bytes)
                if is_line and columns is not None:
                    _require_columns(shard, piece, columns)
                yield piece
            position += len(piece)
            before = (before + piece)[-CONTEXT:]


def _begins_line(before: bytes, after: bytes) -> bool:
    return True


def _begins_tokenized_line(before: bytes, after: bytes) -> bool:
    # An empty sentence stands between the two ends, and the parser finds it behind the second.
    return not before.endswith(b"\r\r\n")


def _begins_conllu(before: bytes, after: bytes) -> bool:
    # Of a line that begins further in front, only a part is seen.
    _, end, line = before[:-1].rpartition(b"\n")
    return bool(end) and not line.decode("utf-8", "replace").strip()


def _begins_fasta(before: bytes, after: bytes) -> bool:
    return after.decode("utf-8", "replace").lstrip().startswith(">")


BEGINS: Dict[str, Callable[[bytes, bytes], bool]] = {
    "lines": _begins_tokenized_line,
    "jsonl": _begins_line,
    "conllu": _begins_conllu,
    "fasta": _begins_fasta,
}
"""Functions that tell by the bytes around the beginning of a line if a record begins there."""


def _require_line_length(shard: Shard, num_bytes: int) -> None:
    if num_bytes > MAX_LINE_BYTES:
        raise ConfigurationError(
            f"Expected '{shard.location}' to be a text file, but a line behind byte "
            f"{shard.start:,} has more than {MAX_LINE_BYTES:,} bytes. Restore the file, or rename "
            "it if it is compressed and has the wrong suffix."
        )


def _columns(shard: Shard, size: int) -> bytes:
    """Returns the first line of the file if it names the columns, without its end."""
    with _open(shard, size, 0, HEAD_BYTES) as file:
        line = file.readline(HEAD_BYTES)
    line = line[len(BOM_UTF8) :] if line.startswith(BOM_UTF8) else line
    return line.rstrip() if _names_columns(line) else b""


def _names_columns(line: bytes) -> bool:
    return (
        line.startswith(b"#")
        and DECLARED_COLUMNS.match(line.decode("utf-8", "replace")) is not None
    )


def _require_columns(shard: Shard, line: bytes, columns: bytes) -> None:
    if _names_columns(line) and line.rstrip() != columns:
        shown = line.decode("utf-8", "replace").strip()
        raise ConfigurationError(
            f"Expected '{shard.location}' to name its columns in its first line or nowhere, so "
            f"that its parts can be read alone, but a line behind byte {shard.start:,} is "
            f"'{shown[:100]}'. Make a file of each part that has columns of its own."
        )
