"""
Writing HDF5 files on a disk that may be full.
"""

import io
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, Optional

import h5py

__all__ = ["write_hdf5"]


@contextmanager
def write_hdf5(path: Path) -> Iterator[h5py.File]:
    """
    Yields a new HDF5 file to write to, and closes it.

    After a failed write the HDF5 library may end the whole process when it closes the file. It
    never sees one: the error waits until the library is done with the file.

    # Parameters

    path : `Path`
        Path of the file. A file that is already there is overwritten.

    # Returns

    `Iterator[h5py.File]`
        The open file.

    # Raises

    `OSError`
        If the file cannot be written, for example because the disk is full.
    """
    with _PatientFile(path, "w+b") as stream:
        try:
            with h5py.File(stream, "w") as file:
                yield file
        finally:
            if stream.error is not None:
                raise stream.error


class _PatientFile(io.FileIO):
    """A file that keeps its first error for later, and from then on only pretends to write."""

    error: Optional[OSError] = None

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        remaining = view
        while remaining.nbytes and self.error is None:
            try:
                # One call writes at most 2 GiB.
                remaining = remaining[super().write(remaining) or 0 :]
            except OSError as error:
                self.error = error
        return view.nbytes

    def truncate(self, size: Optional[int] = None) -> int:
        if self.error is None:
            try:
                return super().truncate(size)
            except OSError as error:
                self.error = error
        return self.tell() if size is None else size
