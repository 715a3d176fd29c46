"""
Clusters of the occurrences of a word, which stand for its senses.
"""

import warnings
from typing import Callable, Dict, Optional

import numpy
from scipy.spatial.distance import cdist
from sklearn.cluster import AffinityPropagation, KMeans
from sklearn.metrics import silhouette_score

from allennlp_elmo_plugin.senses.choices import require_choice
from allennlp_elmo_plugin.senses.measures import unit_vectors

__all__ = ["CLUSTERINGS", "cluster"]

MAX_CLUSTERS = 10
NUM_STARTS = 10
# With little damping the messages may oscillate; with much they move slowly, so that few iterations
# without a change do not show that they have converged.
DAMPING = 0.9
STABLE_ITERATIONS = 50
MAX_ITERATIONS = 1000


def cluster(vectors: numpy.ndarray, clustering: str, seed: int = 0) -> Optional[numpy.ndarray]:
    """
    Groups vectors by their direction.

    # Parameters

    vectors : `numpy.ndarray`
        Vectors of shape (occurrences, dim), none of them zero.
    clustering : `str`
        `"affinity"`: affinity propagation, which finds the number of clusters itself. `"kmeans"`:
        k-means with the number, from 2 to 10, that has the best silhouette.
    seed : `int`, optional (default = `0`)
        Seed of the method.

    # Returns

    `Optional[numpy.ndarray]`
        The number of each vector's cluster, from 0, of shape (occurrences,). `None` if affinity
        propagation does not converge.

    # Raises

    `ConfigurationError`
        If there is no such method.
    """
    require_choice("clustering", clustering, CLUSTERINGS)
    directions = unit_vectors(vectors)
    # Both methods fail on copies of one vector alone.
    if (directions == directions[0]).all():
        return numpy.zeros(len(vectors), dtype=int)
    return CLUSTERINGS[clustering](directions, seed)


def _by_kmeans(directions: numpy.ndarray, seed: int) -> Optional[numpy.ndarray]:
    num_distinct = len(numpy.unique(directions, axis=0))
    # A silhouette needs a cluster of two or more.
    most = min(MAX_CLUSTERS, num_distinct, len(directions) - 1)
    best, best_score = numpy.zeros(len(directions), dtype=int), -numpy.inf
    distances = cdist(directions, directions)
    for num_clusters in range(2, most + 1):
        method = KMeans(num_clusters, n_init=NUM_STARTS, random_state=seed)
        labels = method.fit_predict(directions)
        score = silhouette_score(distances, labels, metric="precomputed")
        if score > best_score:
            best, best_score = labels, score
    return best


def _by_affinity(directions: numpy.ndarray, seed: int) -> Optional[numpy.ndarray]:
    method = AffinityPropagation(
        damping=DAMPING,
        max_iter=MAX_ITERATIONS,
        convergence_iter=STABLE_ITERATIONS,
        random_state=seed,
    )
    with warnings.catch_warnings():
        # The result says whether it converged; of equal vectors, any may be a centre.
        warnings.simplefilter("ignore", UserWarning)
        labels: numpy.ndarray = method.fit_predict(directions)
    return None if method.n_iter_ >= MAX_ITERATIONS or labels.min() < 0 else labels


CLUSTERINGS: Dict[str, Callable[[numpy.ndarray, int], Optional[numpy.ndarray]]] = {
    "affinity": _by_affinity,
    "kmeans": _by_kmeans,
}
"""Functions that cluster unit vectors, by the name of the method."""
