"""
Errors of the disk that say what to do.
"""

import errno
import os
from pathlib import Path

__all__ = ["disk_error"]

ADVICE = {
    errno.ENOSPC: "Free some space, or choose another folder.",
    errno.EDQUOT: "Free some space, or choose another folder.",
    errno.EFBIG: "Raise the limit (ulimit -f), or choose another file system.",
    errno.EIO: "Check the disk, or choose another folder.",
    errno.EROFS: "Choose another folder.",
    errno.EACCES: "Choose another folder, or change its permissions.",
    errno.EPERM: "Choose another folder, or change its permissions.",
    errno.ENOENT: "Make the folder first.",
    errno.ENOTDIR: "Choose a path whose parents are folders.",
    errno.EEXIST: "Choose another path, or remove the file.",
    errno.EISDIR: "Choose another path, or remove the folder.",
}


def disk_error(error: OSError, path: Path, outcome: str) -> OSError:
    """
    Returns an error of the same kind that names a file, what became of it, and what to do.

    # Parameters

    error : `OSError`
        The error of the operating system, which may name no file.
    path : `Path`
        Path of the file as the user knows it.
    outcome : `str`
        End of the sentence that the error opens, such as ", so nothing was written.".

    # Returns

    `OSError`
    """
    code = error.errno or errno.EIO
    advice = ADVICE.get(code, "Choose another folder.")
    return OSError(code, f"{os.strerror(code)}{outcome} {advice}", str(path))
