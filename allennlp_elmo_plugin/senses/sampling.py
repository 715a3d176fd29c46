"""
Drawing some of many occurrences.
"""

import numpy

__all__ = ["draw_rows"]


def draw_rows(vectors: numpy.ndarray, most: int, seed: int) -> numpy.ndarray:
    """
    Returns some rows of an array, drawn without replacement, in their order.

    # Parameters

    vectors : `numpy.ndarray`
        The array.
    most : `int`
        Number of rows to draw. An array with fewer is returned as it is.
    seed : `int`
        Seed of the draw.

    # Returns

    `numpy.ndarray`
    """
    if len(vectors) <= most:
        return vectors
    rows = numpy.random.default_rng(seed).choice(len(vectors), most, replace=False)
    return vectors[numpy.sort(rows)]
