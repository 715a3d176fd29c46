"""
The change of words between two corpora, by all measures.
"""

from typing import Iterable, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.senses.choices import require_choice
from allennlp_elmo_plugin.senses.clusters import CLUSTERINGS, cluster
from allennlp_elmo_plugin.senses.measures import (
    DISTANCES,
    average_pairwise_distance,
    cosine_of_means,
    jensen_shannon_divergence,
)
from allennlp_elmo_plugin.senses.sampling import draw_rows

__all__ = ["MEASURES", "SORT_BY", "ChangeOptions", "WordChange", "common_words", "measure_change"]

MEASURES = ("apd", "cosine_distance", "jsd")
"""Measures to sort by, each larger for more change."""

# It finds a planted change; the average pairwise distance also ranks words by how varied they are.
SORT_BY = "cosine_distance"


class WordChange(NamedTuple):
    """
    The change of one word.

    # Parameters

    word : `str`
        The word.
    first_occurrences, second_occurrences : `int`
        Number of its occurrences in each corpus.
    apd : `Optional[float]`, optional (default = `None`)
        Average pairwise distance. It and the next two are `None` if the word is too rare.
    cosine : `Optional[float]`, optional (default = `None`)
        Cosine of the mean vectors.
    cosine_distance : `Optional[float]`, optional (default = `None`)
        One minus that cosine.
    jsd : `Optional[float]`, optional (default = `None`)
        Jensen-Shannon divergence of the clusters, in bits. `None` if the word is too rare, or if
        the clustering did not converge.
    clusters : `Optional[int]`, optional (default = `None`)
        Number of clusters.
    first_clustered, second_clustered : `Optional[int]`, optional (default = `None`)
        Number of occurrences in each corpus that were clustered.
    """

    word: str
    first_occurrences: int
    second_occurrences: int
    apd: Optional[float] = None
    cosine: Optional[float] = None
    cosine_distance: Optional[float] = None
    jsd: Optional[float] = None
    clusters: Optional[int] = None
    first_clustered: Optional[int] = None
    second_clustered: Optional[int] = None


class ChangeOptions(NamedTuple):
    """
    Options of the measures.

    # Parameters

    min_occurrences : `int`, optional (default = `3`)
        Smallest number of occurrences in each corpus of a word that is measured.
    max_occurrences : `int`, optional (default = `1000`)
        Largest number of occurrences of each corpus that are clustered. Of more, so many are drawn.
        The other measures use all.
    distance : `str`, optional (default = `"cosine"`)
        Distance of the average pairwise distance: `"cosine"`, `"euclidean"` or `"canberra"`.
    clustering : `str`, optional (default = `"affinity"`)
        Method of the clusters: `"affinity"` or `"kmeans"`.
    seed : `int`, optional (default = `0`)
        Seed of the draw and of the clusters.
    """

    min_occurrences: int = 3
    max_occurrences: int = 1000
    distance: str = "cosine"
    clustering: str = "affinity"
    seed: int = 0

    def check(self) -> None:
        """
        Checks all values.

        # Raises

        `ConfigurationError`
            If one of them is none that there is.
        """
        for name, least in {"min_occurrences": 1, "max_occurrences": 1, "seed": 0}.items():
            value = getattr(self, name)
            if value < least:
                raise ConfigurationError(f"Expected {name} to be {least} or more, got {value}.")
        require_choice("distance", self.distance, DISTANCES)
        require_choice("clustering", self.clustering, CLUSTERINGS)


def measure_change(
    first: Mapping[str, numpy.ndarray],
    second: Mapping[str, numpy.ndarray],
    words: Optional[Iterable[str]] = None,
    options: Optional[ChangeOptions] = None,
    sort_by: str = SORT_BY,
) -> List[WordChange]:
    """
    Measures how much the use of words differs between two corpora.

    The vectors of one word at a time are read, so a mapping may hold them in a file.

    # Parameters

    first, second : `Mapping[str, numpy.ndarray]`
        For each word the vectors of its occurrences in a corpus, of shape (occurrences, dim), none
        of them zero. A word that is missing has none.
    words : `Iterable[str]`, optional (default = `None`)
        The words. `None` is all words of both mappings. Repeated ones count once.
    options : `ChangeOptions`, optional (default = `None`)
        Options of the measures.
    sort_by : `str`, optional (default = `"cosine_distance"`)
        One of `MEASURES`.

    # Returns

    `List[WordChange]`
        The words with the largest change first. Those without the measure stand at the end, in
        their order.

    # Raises

    `ConfigurationError`
        If an option has no such value, if vectors are zero, infinite or of another shape, or if
        those of the two corpora have different sizes.
    """
    options = options or ChangeOptions()
    options.check()
    require_choice("measure to sort by", sort_by, MEASURES)
    chosen = common_words(first, second) if words is None else dict.fromkeys(words)
    changes = [_measure(word, _vectors_of(word, first, second), options) for word in chosen]
    return sorted(changes, key=lambda change: _rank(change, sort_by))


def common_words(
    first: Mapping[str, numpy.ndarray], second: Mapping[str, numpy.ndarray]
) -> List[str]:
    """
    Returns the words of two mappings, those of the first before those of the second alone.

    # Parameters

    first, second : `Mapping[str, numpy.ndarray]`
        The mappings.

    # Returns

    `List[str]`
    """
    return list(dict.fromkeys([*first, *second]))


def _vectors_of(word: str, *corpora: Mapping[str, numpy.ndarray]) -> List[numpy.ndarray]:
    found = []
    for name, corpus in zip(("first", "second"), corpora):
        vectors = corpus[word] if word in corpus else numpy.empty((0, 0))
        _require_vectors(vectors, f"{word!r} in the {name} corpus")
        found.append(vectors)
    if all(map(len, found)) and len({vectors.shape[1] for vectors in found}) > 1:
        shapes = " and ".join(str(vectors.shape) for vectors in found)
        raise ConfigurationError(
            f"Expected vectors of one model for both corpora, but those of {word!r} have the "
            f"shapes {shapes}. Run the same model on both."
        )
    return found


def _require_vectors(vectors: numpy.ndarray, owner: str) -> None:
    if vectors.ndim != 2 or not numpy.issubdtype(vectors.dtype, numpy.floating):
        raise ConfigurationError(
            f"Expected floating-point vectors of shape (occurrences, dim) for {owner}, got "
            f"{vectors.dtype} of shape {vectors.shape}. Choose one layer, such as the last (--top) "
            "of 'allennlp elmo', or the mean of the layers."
        )
    if not numpy.isfinite(vectors).all():
        raise ConfigurationError(
            f"Expected finite numbers in the vectors of {owner}, but some are infinite or not a "
            "number. Compute them again, in float32."
        )
    zeros = numpy.flatnonzero(~vectors.any(axis=1))
    if len(zeros):
        raise ConfigurationError(
            f"Expected vectors with a direction for {owner}, but {len(zeros):,} of "
            f"{len(vectors):,} are zero, the first in row {zeros[0]:,}. Take them out."
        )


def _measure(word: str, vectors: Sequence[numpy.ndarray], options: ChangeOptions) -> WordChange:
    first, second = vectors
    if min(len(first), len(second)) < options.min_occurrences:
        return WordChange(word, len(first), len(second))
    cosine = cosine_of_means(first, second)
    sample = [draw_rows(each, options.max_occurrences, options.seed) for each in vectors]
    labels = cluster(numpy.concatenate(sample), options.clustering, options.seed)
    jsd = num_clusters = None
    if labels is not None:
        num_clusters = int(labels.max()) + 1
        parts = labels[: len(sample[0])], labels[len(sample[0]) :]
        jsd = jensen_shannon_divergence(
            *(numpy.bincount(part, minlength=num_clusters) for part in parts)
        )
    return WordChange(
        word,
        len(first),
        len(second),
        average_pairwise_distance(first, second, options.distance),
        cosine,
        1 - cosine,
        jsd,
        num_clusters,
        len(sample[0]),
        len(sample[1]),
    )


def _rank(change: WordChange, measure: str) -> Tuple[bool, float]:
    value = getattr(change, measure)
    return (value is None, 0.0 if value is None else -value)
