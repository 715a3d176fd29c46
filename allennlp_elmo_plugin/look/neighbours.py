"""
The nearest contexts and the nearest words of each token, by the cosine of their vectors.
"""

from typing import NamedTuple

import numpy

__all__ = ["Neighbours", "nearest_contexts", "nearest_words", "word_means"]

CHUNK_ROWS = 512
NONE = -1
"""Number in place of a neighbour where there are too few."""
FARTHEST = -(1 << 62)
"""Key of the token itself, below that of every cosine."""
COSINE_STEPS = 1_000_000
"""Cosines that agree to a millionth are equal, and the neighbour with the lower number is first."""


class Neighbours(NamedTuple):
    """
    The neighbours of each token, the nearest first.

    # Parameters

    ids : `numpy.ndarray`
        Numbers of the neighbours, of shape (tokens, topn), int64. -1 stands where there are fewer.
    cosines : `numpy.ndarray`
        Their cosines, of shape (tokens, topn), float32.
    """

    ids: numpy.ndarray
    cosines: numpy.ndarray


def nearest_contexts(vectors: numpy.ndarray, topn: int = 10) -> Neighbours:
    """
    Returns the tokens nearest to each token, without the token itself.

    # Parameters

    vectors : `numpy.ndarray`
        Vectors of the tokens in one layer, of shape (tokens, dim), float32.
    topn : `int`, optional (default = `10`)
        Number of neighbours.

    # Returns

    `Neighbours`
        Numbers of tokens.
    """
    return _nearest(vectors, vectors, numpy.arange(len(vectors)), topn)


def nearest_words(vectors: numpy.ndarray, word_ids: numpy.ndarray, topn: int = 10) -> Neighbours:
    """
    Returns the words nearest to each token, without its own.

    The vector of a word is the mean of those of its tokens.

    # Parameters

    vectors : `numpy.ndarray`
        Vectors of the tokens in one layer, of shape (tokens, dim), float32.
    word_ids : `numpy.ndarray`
        Number of each token's word, of shape (tokens,), int64. Every number below the largest
        occurs.
    topn : `int`, optional (default = `10`)
        Number of neighbours.

    # Returns

    `Neighbours`
        Numbers of words.
    """
    return _nearest(vectors, word_means(vectors, word_ids), word_ids, topn)


def word_means(vectors: numpy.ndarray, word_ids: numpy.ndarray) -> numpy.ndarray:
    """
    Returns the mean vector of each word's tokens.

    # Parameters

    vectors, word_ids :
        As for `nearest_words`.

    # Returns

    `numpy.ndarray`
        Of shape (words, dim), float32.
    """
    order = numpy.argsort(word_ids, kind="stable")
    counts = numpy.bincount(word_ids)
    starts = numpy.cumsum(counts) - counts
    sums = numpy.add.reduceat(vectors[order], starts, axis=0, dtype=numpy.float64)
    return (sums / counts[:, None]).astype(numpy.float32)


def _nearest(
    queries: numpy.ndarray, candidates: numpy.ndarray, own: numpy.ndarray, topn: int
) -> Neighbours:
    """Returns the candidates nearest to each query, without the query's own."""
    queries, candidates = _normalized(queries), _normalized(candidates)
    num_candidates = len(candidates)
    num_found = min(topn, num_candidates - 1)
    ids = numpy.full((len(queries), topn), NONE, dtype=numpy.int64)
    cosines = numpy.zeros((len(queries), topn), dtype=numpy.float32)
    if num_found == 0:
        return Neighbours(ids, cosines)
    # One row of cosines for each token at once would take memory with the square of the text.
    for start in range(0, len(queries), CHUNK_ROWS):
        rows = slice(start, start + CHUNK_ROWS)
        found = queries[rows] @ candidates.T
        numpy.clip(found, -1.0, 1.0, out=found)
        # Distinct integers, so that the order of equal cosines is that of the numbers.
        keys = numpy.rint(found * COSINE_STEPS).astype(numpy.int64) * num_candidates
        keys -= numpy.arange(num_candidates)
        keys[numpy.arange(len(found)), own[rows]] = FARTHEST
        nearest = numpy.argpartition(-keys, num_found - 1, axis=1)[:, :num_found]
        order = numpy.argsort(-numpy.take_along_axis(keys, nearest, axis=1), axis=1)
        nearest = numpy.take_along_axis(nearest, order, axis=1)
        ids[rows, :num_found] = nearest
        cosines[rows, :num_found] = numpy.take_along_axis(found, nearest, axis=1)
    return Neighbours(ids, cosines)


def _normalized(vectors: numpy.ndarray) -> numpy.ndarray:
    norms = numpy.linalg.norm(vectors, axis=1, keepdims=True)
    # A vector of zeros has no direction: its cosines are 0.
    return vectors / numpy.where(norms == 0.0, 1.0, norms)
