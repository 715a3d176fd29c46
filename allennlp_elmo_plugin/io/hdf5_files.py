"""
Writing HDF5 files on a disk that may be full.
"""

from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

import h5py

from allennlp_elmo_plugin.io.patient_file import PatientFile

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
    with PatientFile(path, "w+b") as stream:
        try:
            with h5py.File(stream, "w") as file:
                yield file
        finally:
            if stream.error is not None:
                raise stream.error
