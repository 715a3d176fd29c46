"""
Finding numbers that are not finite, at the speed of the memory.
"""

from typing import Optional, Tuple

import numpy

__all__ = ["first_non_finite", "require_finite"]

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


def require_finite(block: numpy.ndarray, shape: Tuple[int, ...], first: int = 0) -> None:
    """
    Raises an error unless all numbers of a part of an array are finite as float32.

    # Parameters

    block : `numpy.ndarray`
        Shape (numbers,), a float type of any width and byte order.
    shape : `Tuple[int, ...]`
        Shape of the whole array, for the error.
    first : `int`, optional (default = `0`)
        Index of the block's first number in the flattened array.

    # Raises

    `ValueError`
        If a number is not. The message has the number and its place.
    """
    index = first_non_finite(block)
    if index is not None:
        place = numpy.unravel_index(first + index, shape)
        raise ValueError(
            f"expected finite numbers, got {block[index]} at {[int(i) for i in place]}"
        )
