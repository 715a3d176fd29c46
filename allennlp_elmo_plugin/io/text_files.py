"""
Finding files of text by path, URL or pattern.
"""

import os
from glob import glob, has_magic
from typing import List, Sequence, Union

from allennlp.common.checks import ConfigurationError
from allennlp.common.file_utils import cached_path

__all__ = ["Paths", "find_files"]

Paths = Union[str, "os.PathLike[str]", Sequence[Union[str, "os.PathLike[str]"]]]


def find_files(paths: Paths) -> List[str]:
    """
    The files of a corpus.

    # Parameters

    paths : `Union[str, PathLike, Sequence[Union[str, PathLike]]]`
        A path or URL, a pattern such as `corpus/*.txt.gz` (`**` stands for any folders), or
        several of either.

    # Returns

    `List[str]`
        Local files, those of each pattern in the order of their names.

    # Raises

    `ConfigurationError`
        When a path or pattern finds no file.
    """
    several = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    files: List[str] = []
    for path in (os.fspath(path) for path in several):
        found = [path]
        if has_magic(path):
            found = sorted(filter(os.path.isfile, glob(path, recursive=True)))
        try:
            # It also fetches what is not on this machine.
            found = [str(cached_path(file)) for file in found]
        except FileNotFoundError:
            found = []
        if not found:
            raise ConfigurationError(
                f"Expected text files at '{path}', but there is none. Relative paths start at "
                f"'{os.getcwd()}'."
            )
        files += found
    return files
