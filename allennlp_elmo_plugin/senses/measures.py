"""
Measures of the difference between two sets of vectors, the occurrences of a word in two corpora.

All are computed in float64, whatever the type of the vectors, and none needs memory for each pair
of occurrences.
"""

from typing import Callable, Dict, Iterator

import numpy
from scipy.spatial.distance import cdist, jensenshannon

from allennlp_elmo_plugin.senses.choices import require_choice

__all__ = [
    "DISTANCES",
    "average_pairwise_distance",
    "cosine_of_means",
    "jensen_shannon_divergence",
    "unit_vectors",
]

BLOCK_ROWS = 2048
"""Rows that are converted to float64, or compared with each other, at once."""

COSINE = "cosine"


def cosine_of_means(first: numpy.ndarray, second: numpy.ndarray) -> float:
    """
    Returns the cosine of the mean vectors of two sets.

    # Parameters

    first, second : `numpy.ndarray`
        Vectors of shape (occurrences, dim), each with one or more.

    # Returns

    `float`
        A number in [-1, 1]. It is 1 if both means have the same direction.
    """
    means = [_mean(vectors, _as_float64) for vectors in (first, second)]
    product = numpy.dot(*unit_vectors(numpy.stack(means)))
    # Rounding may lead beyond the bounds.
    return float(numpy.clip(product, -1, 1))


def average_pairwise_distance(
    first: numpy.ndarray, second: numpy.ndarray, distance: str = COSINE
) -> float:
    """
    Returns the mean distance between a vector of one set and a vector of the other, over all pairs.

    For the cosine distance, the mean over all pairs is exactly one minus the product of two means,
    those of the normalized vectors. So it takes time and memory in proportion to the number of
    vectors, not of pairs. The other distances are computed for a block of pairs at a time.

    # Parameters

    first, second : `numpy.ndarray`
        Vectors of shape (occurrences, dim), each with one or more.
    distance : `str`, optional (default = `"cosine"`)
        One of `DISTANCES`.

    # Returns

    `float`
        A number of 0 or more, and at most 2 for the cosine distance.

    # Raises

    `ConfigurationError`
        If there is no such distance.
    """
    require_choice("distance", distance, DISTANCES)
    return DISTANCES[distance](first, second)


def jensen_shannon_divergence(first: numpy.ndarray, second: numpy.ndarray) -> float:
    """
    Returns the Jensen-Shannon divergence of two distributions over the same clusters.

    # Parameters

    first, second : `numpy.ndarray`
        Counts of shape (clusters,), each with a sum above 0.

    # Returns

    `float`
        A number in [0, 1], in bits: 0 if the distributions are equal, 1 if they share no cluster.
    """
    # SciPy returns its square root.
    return min(float(jensenshannon(first, second, base=2) ** 2), 1.0)


def unit_vectors(vectors: numpy.ndarray) -> numpy.ndarray:
    """
    Returns vectors of the same directions and of length 1.

    # Parameters

    vectors : `numpy.ndarray`
        Vectors of shape (occurrences, dim), none of them zero.

    # Returns

    `numpy.ndarray`
        The vectors in float64.
    """
    converted = _as_float64(vectors)
    return converted / numpy.linalg.norm(converted, axis=-1, keepdims=True)


def _cosine_distance(first: numpy.ndarray, second: numpy.ndarray) -> float:
    product = numpy.dot(_mean(first, unit_vectors), _mean(second, unit_vectors))
    return float(numpy.clip(1 - product, 0, 2))


def _blockwise(metric: str) -> Callable[[numpy.ndarray, numpy.ndarray], float]:
    def average(first: numpy.ndarray, second: numpy.ndarray) -> float:
        total = sum(
            float(cdist(_as_float64(one), _as_float64(other), metric).sum())
            for one in _blocks(first)
            for other in _blocks(second)
        )
        return total / (len(first) * len(second))

    return average


DISTANCES: Dict[str, Callable[[numpy.ndarray, numpy.ndarray], float]] = {
    COSINE: _cosine_distance,
    "euclidean": _blockwise("euclidean"),
    "canberra": _blockwise("canberra"),
}
"""Functions of the average pairwise distance by the name of the distance."""


def _mean(
    vectors: numpy.ndarray, convert: Callable[[numpy.ndarray], numpy.ndarray]
) -> numpy.ndarray:
    """Returns the mean of converted vectors, of which a block at a time is in memory."""
    sums = numpy.zeros(vectors.shape[1])
    for block in _blocks(vectors):
        sums += convert(block).sum(axis=0)
    return sums / len(vectors)


def _blocks(vectors: numpy.ndarray) -> Iterator[numpy.ndarray]:
    for start in range(0, len(vectors), BLOCK_ROWS):
        yield vectors[start : start + BLOCK_ROWS]


def _as_float64(vectors: numpy.ndarray) -> numpy.ndarray:
    return vectors.astype(numpy.float64)
