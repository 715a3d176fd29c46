"""The change of words by all measures."""

from typing import Any

import numpy
import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.senses.word_change import ChangeOptions, WordChange, measure_change

AXES = numpy.eye(4, dtype=numpy.float32)


def around(axis: int, num_rows: int) -> numpy.ndarray:
    """Returns vectors near an axis."""
    noise = numpy.random.default_rng(axis).normal(0, 0.05, (num_rows, 4))
    return (AXES[axis] + noise).astype(numpy.float32)


FIRST = {"still": around(0, 8), "moved": around(1, 8), "half": around(2, 8), "rare": around(3, 2)}
SECOND = {
    "still": around(0, 8)[::-1],
    "moved": around(3, 6),
    "half": numpy.concatenate([around(2, 3), around(0, 3)]),
    "rare": around(1, 9),
    "new": around(1, 5),
}


@pytest.mark.parametrize("sort_by", ["apd", "cosine_distance", "jsd"])
@pytest.mark.parametrize("clustering", ["affinity", "kmeans"])
def test_words_are_sorted_by_their_change(sort_by: str, clustering: str) -> None:
    """The word that moved comes first, and words that are too rare come last."""
    options = ChangeOptions(clustering=clustering)
    changes = measure_change(FIRST, SECOND, options=options, sort_by=sort_by)
    assert [change.word for change in changes] == ["moved", "half", "still", "rare", "new"]
    assert changes[0].jsd == 1 and changes[0].cosine_distance > 0.9
    assert changes[0].cosine == pytest.approx(1 - changes[0].cosine_distance)


def test_rare_words_have_their_counts_alone() -> None:
    """Three occurrences in each corpus are needed, or as many as one says."""
    changes = measure_change(FIRST, SECOND, ["rare", "new", "nowhere"])
    assert changes == [
        WordChange("rare", 2, 9),
        WordChange("new", 0, 5),
        WordChange("nowhere", 0, 0),
    ]
    (change,) = measure_change(FIRST, SECOND, ["rare"], ChangeOptions(min_occurrences=2))
    assert change.apd is not None


def test_the_cap_is_for_clusters_alone() -> None:
    """The table says how many were clustered; the other measures use all."""
    capped, full = (
        measure_change(FIRST, SECOND, ["half"], ChangeOptions(max_occurrences=most))[0]
        for most in (4, 100)
    )
    assert (capped.first_clustered, capped.second_clustered) == (4, 4)
    assert (full.first_clustered, full.second_clustered) == (8, 6)
    assert capped[:6] == full[:6]


def test_a_word_does_not_depend_on_the_others() -> None:
    """Its draws and clusters are the same in any list, and repeated words count once."""
    options = ChangeOptions(max_occurrences=4, clustering="kmeans")
    alone = measure_change(FIRST, SECOND, ["half"], options)
    among = measure_change(FIRST, SECOND, ["still", "half", "half", "moved"], options)
    assert len(among) == 3 and alone[0] in among


@pytest.mark.parametrize(
    "vectors, message",
    [
        (numpy.ones((3, 2, 4)), r"'still' in the second corpus, got float64 of shape \(3, 2, 4\)"),
        (numpy.ones((3, 4), dtype=int), "floating-point vectors .* got int64"),
        (numpy.full((3, 4), numpy.inf), "finite numbers in the vectors of 'still'"),
        (numpy.eye(4, 3), r"1 of 4 are zero, the first in row 3"),
        (numpy.eye(3), r"one model .* \(8, 4\) and \(3, 3\)"),
    ],
    ids=["layers", "integers", "infinite", "zero", "dim"],
)
def test_wrong_vectors_are_errors(vectors: numpy.ndarray, message: str) -> None:
    """The error names the word, the corpus and the fault."""
    with pytest.raises(ConfigurationError, match=message):
        measure_change(FIRST, {"still": vectors}, ["still"])


@pytest.mark.parametrize(
    "options, message",
    [
        ({"min_occurrences": 0}, "min_occurrences to be 1 or more, got 0"),
        ({"max_occurrences": 0}, "max_occurrences to be 1 or more, got 0"),
        ({"seed": -1}, "seed to be 0 or more, got -1"),
        ({"distance": "l3"}, "distance to be one of cosine"),
        ({"clustering": "ward"}, "clustering to be one of affinity"),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_wrong_options_are_errors(options: Any, message: str) -> None:
    """Each is checked before a word is measured."""
    with pytest.raises(ConfigurationError, match=message):
        measure_change(FIRST, SECOND, [], ChangeOptions(**options))


def test_an_unknown_measure_is_an_error() -> None:
    """The error names those to sort by."""
    with pytest.raises(ConfigurationError, match="apd, cosine_distance, jsd, got 'cosine'"):
        measure_change(FIRST, SECOND, sort_by="cosine")
