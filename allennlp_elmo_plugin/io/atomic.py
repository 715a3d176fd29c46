"""
Writing files that appear complete or not at all.
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
    Lets a file appear only when it is complete.

    # Parameters

    path : `Path`
        Where the file is to be. What is there is replaced in one step.

    # Returns

    `Iterator[Path]`
        Where to write it, and to close it, in the meantime.
    """
    with TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as scratch:
        partial = Path(scratch) / path.name
        yield partial
        with open(partial, "rb") as written:
            os.fsync(written.fileno())
        os.replace(partial, path)
