"""
Checks of the paths of an output, before anything is read or written.
"""

import os
from pathlib import Path
from typing import Iterable, Optional, Sequence

from allennlp.common.checks import ConfigurationError

__all__ = ["require_output_folder", "require_output_path", "require_unread"]


def require_output_path(output: Path) -> None:
    """
    Checks that a file can be written to a path.

    # Parameters

    output : `Path`
        Path of the file.

    # Raises

    `ConfigurationError`
        If its folder does not exist, or if it is a folder itself.
    """
    _require_parent(output)
    if output.is_dir():
        raise ConfigurationError(
            f"Expected a file for the output, but '{output}' is a folder. Name a file in it."
        )


def require_output_folder(output: Path) -> None:
    """
    Checks that a folder of files can be made at a path, or is there.

    # Parameters

    output : `Path`
        Path of the folder.

    # Raises

    `ConfigurationError`
        If its own folder does not exist, or if it is a file.
    """
    _require_parent(output)
    if output.exists() and not output.is_dir():
        raise ConfigurationError(
            f"Expected a folder for the output, but '{output}' is a file. Choose another name."
        )


def require_unread(paths: Iterable[Path], inputs: Sequence[Optional[str]]) -> None:
    """
    Checks that an output does not replace a file that is read.

    # Parameters

    paths : `Iterable[Path]`
        Paths of all files of the output.
    inputs : `Sequence[Optional[str]]`
        Paths, URLs or names of what is read. `None` is nothing.

    # Raises

    `ConfigurationError`
        If one of the files is an input, under the same or another name.
    """
    for path in paths:
        for name in filter(None, inputs):
            if path.exists() and os.path.exists(name) and os.path.samefile(path, name):
                raise ConfigurationError(
                    f"The output would replace '{name}', which is read. A part of the output is "
                    f"the file '{path}'. Choose another name for the output."
                )


def _require_parent(output: Path) -> None:
    folder = output.absolute().parent
    if not folder.is_dir():
        raise ConfigurationError(
            f"Expected an existing folder for the output '{output}', but there is no '{folder}'. "
            "Make it first, or choose another one."
        )
