"""
The check that the output of a distributed extraction is no part of its input.
"""

import os
from typing import Iterable, Sequence

from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.extraction.distributed.input_files import InputFile
from allennlp_elmo_plugin.io.file_systems import open_file_system

__all__ = ["require_apart"]


def require_apart(source: str, files: Iterable[InputFile], outputs: Sequence[str]) -> None:
    """
    Checks that the files of an output replace no input, and that the next run does not read them.

    # Parameters

    source : `str`
        Path or URL of the input: a file, a folder or a glob.
    files : `Iterable[InputFile]`
        The files that were found there.
    outputs : `Sequence[str]`
        Paths or URLs of all files and folders that are written.

    # Raises

    `ConfigurationError`
        If an output lies in the folder of the input, or an input is an output or lies in one.
    """
    for output in outputs:
        if _is_within(output, source):
            raise ConfigurationError(
                f"Expected an output outside of the input '{source}', got '{output}', which the "
                "next run would read. Choose another output."
            )
    folders = [place for output in outputs for place in _places(output)]
    for file in files:
        for folder in folders:
            if _lies_in(_plain(file.location), folder):
                raise ConfigurationError(
                    f"Expected inputs that the output does not replace, but '{file.location}' is a "
                    f"part of the output, and '{source}' finds it. Choose another output, or name "
                    "the input so that the file is not found."
                )


def _is_within(inner: str, outer: str) -> bool:
    return any(_lies_in(path, folder) for path in _places(inner) for folder in _places(outer))


def _lies_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _places(location: str) -> Sequence[str]:
    """Returns a location, and what it is without links."""
    plain = _plain(location)
    return (plain, os.path.realpath(plain)) if plain.startswith("/") else (plain,)


def _plain(location: str) -> str:
    """Returns an absolute path or a URL in the one form that its file system gives it."""
    file_system, path = open_file_system(location)
    if "file" in file_system.protocol:
        return str(path)
    return str(file_system.unstrip_protocol(path))
