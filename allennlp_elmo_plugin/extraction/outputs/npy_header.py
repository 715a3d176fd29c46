"""
The header of NumPy's file of an array.
"""

import io
from functools import lru_cache
from typing import Tuple

import numpy
from numpy.lib import format as npy_format

__all__ = ["npy_header"]


@lru_cache(maxsize=256)
def npy_header(shape: Tuple[int, ...], dtype: str) -> bytes:
    """
    Returns what precedes the numbers of an array in C order.

    # Parameters

    shape : `Tuple[int, ...]`
        Shape of the array.
    dtype : `str`
        Type of its numbers, which are little-endian in the file.

    # Returns

    `bytes`
    """
    buffer = io.BytesIO()
    description = numpy.dtype(dtype).newbyteorder("<").str
    npy_format.write_array_header_1_0(
        buffer, {"descr": description, "fortran_order": False, "shape": shape}
    )
    return buffer.getvalue()
