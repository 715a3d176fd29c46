"""
The files of a subfolder of the activation cache: their names, and how they appear and go.
"""

import logging
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import List, Union
from uuid import uuid4

from allennlp_elmo_plugin.embedder.activation_cache.segment import DamagedSegment

__all__ = ["list_segments", "remove_leftovers", "set_aside", "write_segment"]

logger = logging.getLogger(__name__)

COMPLETE, PARTIAL, DAMAGED = ".hdf5", ".partial", ".damaged"
# The form of `uuid4().hex`. A file with another name was not made here.
NAME = re.compile("[0-9a-f]{32}")


def list_segments(folder: Path) -> List["os.DirEntry[str]"]:
    """
    Lists the files of layers in a subfolder, those that are pipes or folders among them.

    # Parameters

    folder : `Path`
        Path of the subfolder.

    # Returns

    `List[DirEntry]`
        One entry for each file, in any order.

    # Raises

    `OSError`
        When there is no such folder, or it cannot be read.
    """
    return _list_files(folder, COMPLETE)


def _list_files(folder: Union[str, Path], ending: str) -> List["os.DirEntry[str]"]:
    with os.scandir(folder) as entries:
        return [
            entry
            for entry in entries
            if entry.name.endswith(ending) and NAME.fullmatch(entry.name[: -len(ending)])
        ]


def write_segment(folder: Path, content: bytes, durable: bool = False) -> Path:
    """
    Writes a file of layers, which appears when it is complete.

    Only the holder of the folder's lock may call it.

    # Parameters

    folder : `Path`
        Path of the subfolder.
    content : `bytes`
        Content of the file.
    durable : `bool`, optional (default = `False`)
        If `True`, the file survives a power cut. If `False`, a power cut may damage it, and its
        checksums tell.

    # Returns

    `Path`
        Path of the file.

    # Raises

    `OSError`
        When it cannot be written. No part of it stays.
    """
    partial = folder / (uuid4().hex + PARTIAL)
    complete = partial.with_suffix(COMPLETE)
    try:
        partial.write_bytes(content)
        if durable:
            _sync(partial)
        os.replace(partial, complete)
    finally:
        partial.unlink(missing_ok=True)
    if durable and os.name == "posix":
        _sync(folder)
    return complete


def _sync(path: Path) -> None:
    # Windows only syncs files that are open for writing, and cannot open folders.
    opened = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def remove_leftovers(root: Path) -> None:
    """
    Removes the partial files of killed processes from all subfolders.

    Only the holder of the folder's lock may call it: without it, a partial file may be one that is
    being written.

    # Parameters

    root : `Path`
        Path of the folder with the subfolders.

    # Raises

    `OSError`
        When the folder cannot be read.
    """
    with os.scandir(root) as entries:
        folders = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    for folder in folders:
        # Subfolders and files of other users may have to stay, and others are just being deleted.
        with suppress(OSError):
            for entry in _list_files(folder, PARTIAL):
                with suppress(OSError):
                    os.unlink(entry.path)


def set_aside(path: Path, damage: DamagedSegment) -> None:
    """
    Renames a damaged file, so no process reads it again, and warns of it.

    # Parameters

    path : `Path`
        Path of the file.
    damage : `DamagedSegment`
        Error that says what is wrong.
    """
    aside = path.with_suffix(DAMAGED)
    try:
        os.replace(path, aside)
    except FileNotFoundError:
        # Another process was first.
        return
    except OSError as error:
        logger.warning("'%s' is damaged: %s. It stays where it is (%s).", path, damage, error)
        return
    logger.warning(
        "'%s' is damaged: %s. It is set aside as '%s', and its sentences are computed again.",
        path,
        damage,
        aside.name,
    )
