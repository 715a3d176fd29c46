"""
The files below a folder.
"""

import os
from pathlib import Path, PurePath
from typing import Iterator

from allennlp.common.checks import ConfigurationError

__all__ = ["files_below"]

MAX_ENTRIES = 100_000


def files_below(folder: Path) -> Iterator[PurePath]:
    """
    Yields the names of the files below a folder, seen from there.

    Links to files are followed. Hidden folders and links to folders are not searched.

    # Parameters

    folder : `Path`
        Path of the folder. If it is missing, it has no files.

    # Raises

    `ConfigurationError`
        If it holds more than 100,000 files and folders.
    """
    folders, seen = [PurePath()], 0
    while folders:
        current = folders.pop()
        try:
            entries = os.scandir(folder / current)
        except (FileNotFoundError, PermissionError):
            # No file can be read from there.
            continue
        with entries:
            for entry in entries:
                seen += 1
                if seen > MAX_ENTRIES:
                    raise ConfigurationError(
                        f"Expected a folder with the files of a biLM, but '{folder}' holds more "
                        f"than {MAX_ENTRIES} files and folders. Name the file itself."
                    )
                if entry.is_dir(follow_symlinks=False):
                    if not entry.name.startswith("."):
                        folders.append(current / entry.name)
                elif _is_file(entry):
                    yield current / entry.name


def _is_file(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_file()
    except OSError:
        # A link to itself, for example, leads to no file.
        return False
