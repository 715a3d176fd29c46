"""
The contexts of a word on a plane, layer by layer.
"""

from typing import Any, Dict, List, NamedTuple, Optional, Sequence

import numpy
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.look.text import ShownText

__all__ = [
    "ASPECT",
    "MIN_CONTEXTS",
    "PROJECTIONS",
    "Plane",
    "pca_plane",
    "planes_of_words",
    "umap_plane",
]

PROJECTIONS = ("pca", "umap")
MIN_CONTEXTS = {"pca": 3, "umap": 10}
"""Fewest contexts of a word that a plane shows, by the projection."""

ASPECT = 1.4
"""Width of the box of a plane, by its height."""

UMAP_NEIGHBOURS = 15
UMAP_SEED = 13


class Plane(NamedTuple):
    """
    The contexts of a word on a plane.

    # Parameters

    points : `numpy.ndarray`
        Coordinates of shape (contexts, 2), float32, which fill a box of [-1.4, 1.4] times [-1, 1]
        in one direction. One unit is the same length in both.
    shares : `Optional[numpy.ndarray]`
        Shares of the variance along both directions, of shape (2,), float32, or `None` for a
        projection that has none.
    """

    points: numpy.ndarray
    shares: Optional[numpy.ndarray]


def pca_plane(vectors: numpy.ndarray) -> Plane:
    """
    Projects vectors on their first two principal components.

    # Parameters

    vectors : `numpy.ndarray`
        Vectors of shape (contexts, dim).

    # Returns

    `Plane`
    """
    centred = vectors.astype(numpy.float64) - vectors.mean(axis=0, dtype=numpy.float64)
    left, singular, _ = numpy.linalg.svd(centred, full_matrices=False)
    coordinates = numpy.zeros((len(vectors), 2))
    shares = numpy.zeros(2)
    num_found = min(2, len(singular))
    coordinates[:, :num_found] = left[:, :num_found] * singular[:num_found]
    variances = singular**2
    # Equal vectors, such as those of a word in the token layer, vary by rounding alone.
    if variances.sum() > 1e-9 * (vectors.astype(numpy.float64) ** 2).sum():
        shares[:num_found] = (variances / variances.sum())[:num_found]
    else:
        coordinates[:] = 0.0
    # A singular vector has either sign. The coordinate with the largest absolute value is positive.
    largest = numpy.abs(coordinates).argmax(axis=0)
    signs = numpy.where(coordinates[largest, [0, 1]] < 0.0, -1.0, 1.0)
    return Plane(_fitted(coordinates * signs), shares.astype(numpy.float32))


def umap_plane(vectors: numpy.ndarray) -> Plane:
    """
    Projects vectors with UMAP, by their cosines.

    # Parameters

    vectors : `numpy.ndarray`
        Vectors of shape (contexts, dim), of which there are at least 10.

    # Returns

    `Plane`
        The same in every run.

    # Raises

    `ConfigurationError`
        If the package umap-learn is missing.
    """
    if numpy.ptp(vectors, axis=0).max() <= 1e-6 * numpy.abs(vectors).max():
        return Plane(numpy.zeros((len(vectors), 2), dtype=numpy.float32), None)
    reducer = _umap().UMAP(
        n_neighbors=min(UMAP_NEIGHBOURS, len(vectors) - 1),
        metric="cosine",
        init="random" if len(vectors) < 2 * UMAP_NEIGHBOURS else "spectral",
        random_state=UMAP_SEED,
        n_jobs=1,
    )
    coordinates = numpy.asarray(reducer.fit_transform(vectors), dtype=numpy.float64)
    return Plane(_fitted(coordinates), None)


def planes_of_words(
    text: ShownText,
    vectors: numpy.ndarray,
    projection: str = "pca",
    words: Optional[Sequence[str]] = None,
) -> Dict[str, List[Plane]]:
    """
    Returns the planes of the words that occur often enough.

    # Parameters

    text : `ShownText`
        The text.
    vectors : `numpy.ndarray`
        Vectors of its tokens, of shape (layers, tokens, dim).
    projection : `str`, optional (default = `"pca"`)
        `"pca"`, for words with at least 3 occurrences, or `"umap"`, for those with at least 10.
    words : `Optional[Sequence[str]]`, optional (default = `None`)
        Words to choose from. `None` is all words.

    # Returns

    `Dict[str, List[Plane]]`
        For each word a plane for each layer. The words with the most occurrences are first.

    # Raises

    `ConfigurationError`
        If the projection is unknown, needs a package that is missing, or if one of the words
        occurs too rarely.
    """
    if projection not in PROJECTIONS:
        raise ConfigurationError(
            f"Expected the projection to be one of {', '.join(PROJECTIONS)}, got '{projection}'."
        )
    project = pca_plane if projection == "pca" else umap_plane
    contexts = dict(zip(text.words, text.occurrences()))
    minimum = MIN_CONTEXTS[projection]
    if words is not None:
        _require_frequent(words, {word: len(where) for word, where in contexts.items()}, minimum)
        contexts = {word: contexts[word] for word in words}
    frequent = [word for word, where in contexts.items() if len(where) >= minimum]
    frequent.sort(key=lambda word: -len(contexts[word]))
    return {word: [project(layer[contexts[word]]) for layer in vectors] for word in frequent}


def _require_frequent(words: Sequence[str], counts: Dict[str, int], minimum: int) -> None:
    rare = [word for word in words if counts.get(word, 0) < minimum]
    if rare:
        found = ", ".join(f"'{word}' ({counts.get(word, 0)})" for word in rare)
        raise ConfigurationError(
            f"Expected words that occur at least {minimum} times in the text that is shown, but "
            f"these are rarer: {found}. Remove them, or show more of the text."
        )


def _fitted(coordinates: numpy.ndarray) -> numpy.ndarray:
    """Moves and scales coordinates into the box."""
    low, high = coordinates.min(axis=0), coordinates.max(axis=0)
    centred = coordinates - (low + high) / 2
    largest = (numpy.abs(centred) / [ASPECT, 1.0]).max()
    return (centred / (largest or 1.0)).astype(numpy.float32)


def _umap() -> Any:
    try:
        import umap
    except ImportError as error:
        raise ConfigurationError(
            f"Projecting with UMAP needs the package umap-learn ({error}). Install it (pip install "
            "umap-learn), or take PCA."
        ) from error
    return umap
