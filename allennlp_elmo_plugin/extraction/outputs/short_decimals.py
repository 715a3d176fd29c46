"""
The shortest decimal fractions that stand for numbers of little precision.
"""

import numpy

__all__ = ["short_decimals"]

# Fewer digits make no difference: of two fractions with these, each has a number of its own.
MIN_DIGITS = {"float32": 6, "float16": 3}
MAX_DIGITS = {"float32": 9, "float16": 5}
# All powers of ten that numbers between these bounds need are exact in float64.
SMALLEST, LARGEST = {"float32": 1e-10, "float16": 1e-4}, 1e3
POWERS = numpy.array([float(f"1e{exponent}") for exponent in range(20)])


def short_decimals(numbers: numpy.ndarray) -> numpy.ndarray:
    """
    Returns the float64 numbers nearest to the shortest decimals that stand for given numbers.

    0.1 in float32 is 0.10000000149 in float64. The result has 0.1 in its place, and casting it
    back gives the same bits as before.

    # Parameters

    numbers : `numpy.ndarray`
        Finite numbers of any shape, float32 or float16.

    # Returns

    `numpy.ndarray`
        Numbers of the same shape, float64.
    """
    dtype = numbers.dtype.name
    exact = numbers.astype("float64").ravel()
    result = exact.copy()
    size = numpy.abs(exact)
    # Below a power of two, numbers lie denser than above it.
    is_usual = (size > SMALLEST[dtype]) & (size < LARGEST) & (numpy.frexp(size)[0] != 0.5)
    remaining = numpy.flatnonzero(is_usual)
    values = exact[remaining]
    exponents = numpy.floor(numpy.log10(numpy.abs(values))).astype(int)
    for num_digits in range(MIN_DIGITS[dtype], MAX_DIGITS[dtype] + 1):
        scale = POWERS[num_digits - 1 - exponents]
        decimals = numpy.rint(values * scale) / scale
        is_short = decimals.astype(dtype) == values
        result[remaining[is_short]] = decimals[is_short]
        is_long = ~is_short
        remaining, values, exponents = remaining[is_long], values[is_long], exponents[is_long]
    unusual = numpy.flatnonzero(~is_usual & (exact != 0))
    for index in numpy.concatenate([unusual, remaining]):
        result[index] = float(str(numbers.flat[index]))
    return result.reshape(numbers.shape)
