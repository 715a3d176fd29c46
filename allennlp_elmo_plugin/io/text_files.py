"""
Finding text files by path, URL or pattern.
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
    Returns the local path of every file that the given paths, URLs and patterns name.

    # Parameters

    paths : `Union[str, PathLike, Sequence[Union[str, PathLike]]]`
        A path, a URL, a pattern such as `corpus/*.txt.gz` (`**` matches any number of folders), or
        a list of these. Patterns find no hidden files.

    # Returns

    `List[str]`
        Paths in the order of `paths`; the files of one pattern are sorted by name. A URL is
        downloaded into AllenNLP's cache first.

    # Raises

    `ConfigurationError`
        If there is no path, if a path or pattern finds no file, or if a download fails.
    """
    patterns = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    if not patterns:
        raise ConfigurationError("Expected the path of one or more text files, got an empty list.")
    files: List[str] = []
    for pattern in (os.fspath(pattern) for pattern in patterns):
        found = [pattern]
        if has_magic(pattern):
            found = sorted(filter(os.path.isfile, glob(pattern, recursive=True)))
        try:
            found = [str(cached_path(file)) for file in found]
        except FileNotFoundError:
            found = []
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"Expected one or more text files at '{pattern}', but it could not be downloaded "
                f"({error}). Check the URL and the network, or give the path of a local copy."
            ) from error
        if not found:
            raise ConfigurationError(
                f"Expected one or more text files at '{pattern}', found none. Check the path; a "
                f"relative one starts at the working directory, '{os.getcwd()}'."
            )
        files += found
    return files
