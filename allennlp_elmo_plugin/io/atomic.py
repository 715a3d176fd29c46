"""
Writing a file atomically: it appears complete or not at all.
"""

import os
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Iterator

__all__ = ["write_atomically"]


@contextmanager
def write_atomically(path: Path) -> Iterator[Path]:
    """
    Yields a temporary path to write to, and moves the finished file to `path` in one step.

    If the `with` block raises an exception, the temporary file is removed and `path` stays as it
    was. If the process is killed, `path` stays as it was too, but the temporary file remains in a
    hidden folder beside it.

    # Parameters

    path : `Path`
        Path of the file. Its folder must exist. A file that is already there is replaced.

    # Returns

    `Iterator[Path]`
        Temporary path, of the same file name. Write the file there and close it within the block.
    """
    with TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        partial = Path(folder) / path.name
        yield partial
        with open(partial, "rb") as written:
            os.fsync(written.fileno())
        os.replace(partial, path)
