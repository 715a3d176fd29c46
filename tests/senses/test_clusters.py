"""Clusters of occurrences."""

from typing import List

import numpy
import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.senses import clusters
from allennlp_elmo_plugin.senses.clusters import CLUSTERINGS, cluster


def groups(sizes: List[int], seed: int = 0) -> numpy.ndarray:
    """Returns vectors around as many axes as there are sizes, with lengths of their own."""
    draw = numpy.random.default_rng(seed)
    axes = numpy.eye(6)[numpy.repeat(numpy.arange(len(sizes)), sizes)]
    return (axes + draw.normal(0, 0.02, axes.shape)) * draw.uniform(1, 9, (len(axes), 1))


@pytest.mark.parametrize("clustering", list(CLUSTERINGS))
def test_groups_become_clusters(clustering: str) -> None:
    """Each of three groups of directions lies in clusters of its own, whatever its lengths."""
    labels = cluster(groups([12, 9, 15]), clustering)
    parts = [set(part) for part in numpy.split(labels, [12, 21])]
    assert sum(map(len, parts)) == len(set(labels)) == labels.max() + 1
    if clustering == "kmeans":
        assert [len(part) for part in parts] == [1, 1, 1]


@pytest.mark.parametrize("clustering", list(CLUSTERINGS))
def test_a_seed_gives_the_same_clusters(clustering: str) -> None:
    """Two runs with one seed agree."""
    vectors = numpy.random.default_rng(4).normal(size=(40, 6))
    assert (cluster(vectors, clustering, 7) == cluster(vectors, clustering, 7)).all()


@pytest.mark.parametrize("clustering", list(CLUSTERINGS))
@pytest.mark.parametrize("num_rows", [1, 2, 6])
def test_copies_are_one_cluster(clustering: str, num_rows: int) -> None:
    """Vectors of one direction need no method that could fail on them."""
    vectors = numpy.array([[1.0, 2.0]]).repeat(num_rows, axis=0)
    assert cluster(vectors, clustering).tolist() == [0] * num_rows


@pytest.mark.parametrize("clustering", list(CLUSTERINGS))
def test_few_vectors_are_clustered(clustering: str) -> None:
    """Two, and two directions of which one comes twice, are no error."""
    vectors = numpy.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    labels = cluster(vectors, clustering)
    assert labels[0] == labels[2]
    assert len(cluster(vectors[:2], clustering)) == 2


def test_affinity_propagation_may_not_converge(monkeypatch: pytest.MonkeyPatch) -> None:
    """The result is then none, and not clusters by chance."""
    monkeypatch.setattr(clusters, "MAX_ITERATIONS", 2)
    assert cluster(groups([12, 9, 15]), "affinity") is None


def test_an_unknown_method_is_an_error() -> None:
    """The error names those that there are."""
    with pytest.raises(ConfigurationError, match="one of affinity, kmeans, got 'ward'"):
        cluster(groups([2]), "ward")
