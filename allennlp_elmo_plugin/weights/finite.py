"""
Finding numbers that are not finite, at the speed of the memory.
"""

from typing import Optional

import numpy

__all__ = ["first_non_finite"]

WIDTH = 4096
ONES = numpy.ones(WIDTH, dtype="float32")


def first_non_finite(numbers: numpy.ndarray) -> Optional[int]:
    """
    Returns the index of the first number that float32 cannot represent as a finite one.

    # Parameters

    numbers : `numpy.ndarray`
        Shape (numbers,), a float type of any width and byte order.

    # Returns

    `Optional[int]`
        Index of the first NaN, infinite or overflowing number; `None` if all are finite.
    """
    with numpy.errstate(all="ignore"):
        numbers = numbers.astype("float32", copy=False)
        whole = len(numbers) // WIDTH * WIDTH
        # A sum is finite only if each number is. This product reads memory faster than `isfinite`.
        sums = numbers[:whole].reshape(-1, WIDTH) @ ONES
        if numpy.isfinite(sums.sum() + numbers[whole:].sum()):
            return None
    # A sum of finite numbers may overflow.
    indices = numpy.flatnonzero(~numpy.isfinite(numbers))
    return int(indices[0]) if len(indices) else None
