"""
Filling an array from a file.
"""

from io import FileIO

import numpy

__all__ = ["read_into"]


def read_into(file: FileIO, array: numpy.ndarray) -> None:
    """
    Fills an array with the next bytes of a file.

    # Parameters

    file : `FileIO`
        The file, opened without a buffer.
    array : `numpy.ndarray`
        Shape (bytes,), uint8, in one piece.

    # Raises

    `ValueError`
        If the file ends before the array is full.
    """
    target = array.data
    while len(target):
        count = file.readinto(target)
        if not count:
            raise ValueError("the file ends within the data")
        target = target[count:]
