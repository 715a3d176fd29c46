"""
Checking that a path names a regular file before it is opened.
"""

import os
import stat
from typing import Union

from allennlp.common.checks import ConfigurationError

__all__ = ["require_regular_file"]

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def require_regular_file(path: Union[str, "os.PathLike[str]"], contents: str) -> int:
    """
    Returns the size of a regular file.

    Opening anything else can block for ever or fail in the middle of a library.

    # Parameters

    path : `Union[str, PathLike]`
        Path of the file. A symbolic link stands for its target.
    contents : `str`
        Contents that are expected, for the error.

    # Returns

    `int`
        Size in bytes.

    # Raises

    `ConfigurationError`
        If there is no such file, or if it is a folder, a named pipe, a socket or a device.
    """
    try:
        found = os.stat(path)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"Expected {contents} in the file '{path}', but it cannot be opened ({error}). Check "
            f"the path; a relative one starts at the working directory, '{os.getcwd()}'."
        ) from error
    if not stat.S_ISREG(found.st_mode):
        kind = KINDS.get(stat.S_IFMT(found.st_mode), "no regular file")
        raise ConfigurationError(
            f"Expected {contents} in a regular file, but '{path}' is {kind}. Name the file itself."
        )
    return found.st_size
