"""
The files of a subfolder of the activation cache: their names, and how they appear and go.
"""

import logging
import os
import re
from pathlib import Path
from typing import List
from uuid import uuid4

from allennlp_elmo_plugin.embedder.activation_cache.segment import DamagedSegment
from allennlp_elmo_plugin.io.atomic import write_atomically
from allennlp_elmo_plugin.io.staging import sweep

__all__ = ["list_segments", "remove_leftovers", "set_aside", "write_segment"]

logger = logging.getLogger(__name__)

COMPLETE, DAMAGED = ".hdf5", ".damaged"
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
    with os.scandir(folder) as entries:
        return [
            entry
            for entry in entries
            if entry.name.endswith(COMPLETE) and NAME.fullmatch(entry.name[: -len(COMPLETE)])
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
    path = folder / (uuid4().hex + COMPLETE)
    with write_atomically(path, durable) as partial:
        partial.write_bytes(content)
    return path


def remove_leftovers(root: Path) -> None:
    """
    Removes what killed processes left of unfinished files in all subfolders.

    # Parameters

    root : `Path`
        Path of the folder with the subfolders.

    # Raises

    `OSError`
        When the folder cannot be read.
    """
    with os.scandir(root) as entries:
        folders = [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]
    for folder in folders:
        sweep(folder)


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
