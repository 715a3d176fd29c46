"""The contexts of a word on a plane."""

import importlib.util

import numpy
import pytest
from allennlp.common.checks import ConfigurationError
from sklearn.decomposition import PCA

from allennlp_elmo_plugin.look.plane import ASPECT, pca_plane, planes_of_words, umap_plane
from allennlp_elmo_plugin.look.text import ShownText
from tests.support.look_pages import two_periods

HAS_UMAP = importlib.util.find_spec("umap") is not None


def distances(points: numpy.ndarray) -> numpy.ndarray:
    """Returns the distances of all pairs, by the largest."""
    found = numpy.linalg.norm(points[:, None] - points[None], axis=-1)
    return found / found.max()


def test_the_plane_is_that_of_scikit_learn() -> None:
    """Distances on the plane and shares of the variance are those of another PCA."""
    vectors = numpy.random.RandomState(0).normal(size=(9, 5)).astype(numpy.float32)
    plane = pca_plane(vectors)
    pca = PCA(2)
    expected = pca.fit_transform(vectors)
    assert plane.shares == pytest.approx(pca.explained_variance_ratio_, abs=1e-5)
    assert distances(plane.points) == pytest.approx(distances(expected), abs=1e-5)


def test_points_fill_the_box() -> None:
    """The points touch opposite sides of the box in one direction and none in the other."""
    plane = pca_plane(numpy.random.RandomState(0).normal(size=(9, 5)).astype(numpy.float32))
    sizes = numpy.ptp(plane.points, axis=0) / [2 * ASPECT, 2.0]
    assert sizes.max() == pytest.approx(1.0, abs=1e-6)
    assert numpy.abs(plane.points / [ASPECT, 1.0]).max() == pytest.approx(1.0, abs=1e-6)


def test_a_mirrored_basis_gives_the_same_plane() -> None:
    """The sign of a component does not depend on the library of linear algebra."""
    vectors = numpy.random.RandomState(3).normal(size=(7, 4)).astype(numpy.float32)
    turned = vectors[:, [2, 0, 3, 1]]
    assert pca_plane(turned).points == pytest.approx(pca_plane(vectors).points, abs=1e-5)


@pytest.mark.parametrize("num_contexts", [1, 3])
def test_equal_vectors_are_one_point(num_contexts: int) -> None:
    """Rounding of the token layer is not stretched over the plane."""
    vectors = numpy.full((num_contexts, 6), 0.1, dtype=numpy.float32)
    vectors[-1] += 1e-8
    assert not pca_plane(vectors).points.any()


def vectors_of(text: ShownText, num_layers: int = 2) -> numpy.ndarray:
    """Returns random vectors of a text."""
    shape = (num_layers, len(text.tokens), 4)
    return numpy.random.RandomState(0).normal(size=shape).astype(numpy.float32)


def test_frequent_words_have_planes() -> None:
    """Words with three occurrences have a plane for each layer, the most frequent first."""
    text = two_periods()
    planes = planes_of_words(text, vectors_of(text))
    assert list(planes) == ["coach", "."]
    assert [plane.points.shape for plane in planes["coach"]] == [(5, 2)] * 2
    assert list(planes_of_words(text, vectors_of(text), "pca", ["."])) == ["."]


def test_the_points_of_a_word_are_those_of_its_tokens() -> None:
    """Points stand in the order of the occurrences."""
    text = two_periods()
    vectors = vectors_of(text)
    where = [number for number, token in enumerate(text.tokens) if token == "coach"]
    expected = pca_plane(vectors[1][where])
    assert numpy.array_equal(planes_of_words(text, vectors)["coach"][1].points, expected.points)


def test_rare_words_are_an_error_if_they_are_asked_for() -> None:
    """The error names them with their numbers of occurrences."""
    text = two_periods()
    with pytest.raises(ConfigurationError, match=r"'young' \(1\), 'bus' \(0\)"):
        planes_of_words(text, vectors_of(text), "pca", ["coach", "young", "bus"])


def test_projections_are_known() -> None:
    """The error lists them."""
    text = two_periods()
    with pytest.raises(ConfigurationError, match="one of pca, umap, got 'tsne'"):
        planes_of_words(text, vectors_of(text), "tsne")


@pytest.mark.skipif(HAS_UMAP, reason="umap-learn is installed")
def test_a_missing_umap_is_told() -> None:
    """The error says what to install."""
    with pytest.raises(ConfigurationError, match="pip install umap-learn"):
        umap_plane(numpy.random.RandomState(0).normal(size=(12, 4)))


@pytest.mark.skipif(not HAS_UMAP, reason="umap-learn is not installed")
def test_umap_keeps_groups_apart() -> None:
    """Two distant groups stay apart, and a second run gives the same plane."""
    vectors = numpy.random.RandomState(0).normal(size=(40, 8)).astype(numpy.float32)
    vectors[:20, 0] += 30.0
    vectors[20:, 1] += 30.0
    plane = umap_plane(vectors)
    within = numpy.linalg.norm(plane.points[:20] - plane.points[:20].mean(axis=0), axis=1)
    between = numpy.linalg.norm(plane.points[:20].mean(axis=0) - plane.points[20:].mean(axis=0))
    assert plane.shares is None and within.max() < between / 2
    assert numpy.array_equal(umap_plane(vectors).points, plane.points)
