"""
The file that says how far another file is committed, and which of its pages change by that.
"""

import json
import os
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.io.atomic import sync

__all__ = ["Journal", "read_journal", "write_journal"]

Buffer = Union[bytes, memoryview]

MAGIC = b"allennlp_elmo_plugin journal 1\n"
DIGEST_SIZE = 16
NUMBER_SIZE = 8


class Journal(NamedTuple):
    """
    The state of a file at a commit.

    # Parameters

    record : `Optional[Dict[str, Any]]`
        Facts for whoever opens the file again; values of JSON. `None` if nothing is committed yet.
    length : `int`
        Number of bytes of the file.
    min_length : `int`
        Number of bytes that were on the disk when the journal was written.
    zeros : `Tuple[int, int]`
        Start and end of a range of bytes that become 0.
    pages : `Sequence[Tuple[int, Buffer]]`
        Offset and bytes of each page that changes; after the zeros.
    """

    record: Optional[Dict[str, Any]]
    length: int
    min_length: int
    zeros: Tuple[int, int]
    pages: Sequence[Tuple[int, Buffer]]


def write_journal(path: Path, journal: Journal) -> None:
    """
    Writes a journal in one step, so that it survives a power cut.

    # Parameters

    path : `Path`
        Path of the journal.
    journal : `Journal`
        Its content.

    # Raises

    `OSError`
        If it cannot be written. The journal that was there before stays.
    """
    header = {**journal._asdict(), "pages": [(at, len(page)) for at, page in journal.pages]}
    encoded = json.dumps(header).encode()
    parts: List[Buffer] = [len(encoded).to_bytes(NUMBER_SIZE, "little"), encoded]
    parts += [page for _, page in journal.pages]
    partial = path.with_name(path.name + ".new")
    try:
        with open(partial, "wb") as file:
            file.write(MAGIC + _digest(parts))
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError:
        with suppress(OSError):
            partial.unlink()
        raise
    sync(path.parent)


def read_journal(path: Path) -> Optional[Journal]:
    """
    Reads a journal.

    # Parameters

    path : `Path`
        Path of the journal.

    # Returns

    `Optional[Journal]`
        Its content, or `None` if there is no such file.

    # Raises

    `ConfigurationError`
        If it is damaged.
    `OSError`
        If it cannot be read.
    """
    try:
        content = memoryview(path.read_bytes())
    except FileNotFoundError:
        return None
    body = content[len(MAGIC) + DIGEST_SIZE :]
    if content[: len(MAGIC)] != MAGIC or content[len(MAGIC) :][:DIGEST_SIZE] != _digest([body]):
        raise ConfigurationError(
            f"Expected the journal of an unfinished file, but '{path}' is damaged. Remove its "
            "folder, and begin again."
        )
    start = NUMBER_SIZE + int.from_bytes(body[:NUMBER_SIZE], "little")
    header = json.loads(bytes(body[NUMBER_SIZE:start]))
    pages: List[Tuple[int, Buffer]] = []
    for offset, size in header["pages"]:
        pages.append((offset, body[start : start + size]))
        start += size
    return Journal(**{**header, "zeros": tuple(header["zeros"]), "pages": pages})


def _digest(parts: Sequence[Buffer]) -> bytes:
    digest = blake2b(digest_size=DIGEST_SIZE)
    for part in parts:
        digest.update(part)
    return digest.digest()
