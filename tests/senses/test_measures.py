"""The measures of change, beside naive ones in plain Python."""

import math
import tracemalloc
from itertools import product
from typing import List

import numpy
import pytest
from allennlp.common.checks import ConfigurationError
from hypothesis import given
from hypothesis import strategies as st

from allennlp_elmo_plugin.senses import measures
from allennlp_elmo_plugin.senses.measures import (
    DISTANCES,
    average_pairwise_distance,
    cosine_of_means,
    jensen_shannon_divergence,
)

SEEDS = st.integers(0, 2**32 - 1)
COUNTS = st.lists(st.integers(0, 50), min_size=3, max_size=3).filter(any)


def draw(seed: int, num_rows: int, dim: int = 4) -> numpy.ndarray:
    """Returns random vectors that all lean to one side."""
    return numpy.random.default_rng(seed).normal(0.3, 1.0, (num_rows, dim)).astype("float32")


def cosine(one: List[float], other: List[float]) -> float:
    """Returns the cosine of two lists of numbers."""
    dot = sum(a * b for a, b in zip(one, other))
    return dot / math.sqrt(sum(a * a for a in one)) / math.sqrt(sum(b * b for b in other))


DISTANCE_ORACLES = {
    "cosine": lambda one, other: 1 - cosine(one, other),
    "euclidean": lambda one, other: math.sqrt(sum((a - b) ** 2 for a, b in zip(one, other))),
    "canberra": lambda one, other: sum(abs(a - b) / (abs(a) + abs(b)) for a, b in zip(one, other)),
}


@pytest.mark.parametrize("name", list(DISTANCES))
@given(SEEDS, st.integers(1, 9), st.integers(1, 9))
def test_the_average_is_over_all_pairs(name: str, seed: int, rows: int, columns: int) -> None:
    """Each distance equals the mean of a loop over the pairs."""
    first, second = draw(seed, rows), draw(seed + 1, columns)
    oracle = DISTANCE_ORACLES[name]
    pairs = list(product(first.tolist(), second.tolist()))
    expected = sum(oracle(one, other) for one, other in pairs) / len(pairs)
    assert average_pairwise_distance(first, second, name) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", list(DISTANCES))
def test_blocks_do_not_change_the_average(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many blocks, the last of them smaller, give the average of one."""
    first, second = draw(1, 11), draw(2, 7)
    expected = average_pairwise_distance(first, second, name)
    monkeypatch.setattr(measures, "BLOCK_ROWS", 3)
    assert average_pairwise_distance(first, second, name) == pytest.approx(expected, abs=1e-14)


def test_many_occurrences_take_no_matrix_of_pairs() -> None:
    """For 30,000 and 30,000 vectors it takes a thousandth of the memory of all pairs."""
    first, second = draw(1, 30_000), draw(2, 30_000)
    tracemalloc.start()
    try:
        average_pairwise_distance(first, second)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 30_000**2 * 8 / 1000


@given(SEEDS, st.integers(1, 9), st.integers(1, 9))
def test_the_cosine_is_that_of_the_means(seed: int, rows: int, columns: int) -> None:
    """The means are those of the vectors as they are, not of their directions."""
    first, second = draw(seed, rows), draw(seed + 1, columns)
    means = [
        [sum(column) / len(each) for column in zip(*each.tolist())] for each in (first, second)
    ]
    assert cosine_of_means(first, second) == pytest.approx(cosine(*means), abs=1e-9)


@given(SEEDS, st.integers(1, 5), st.integers(1, 5))
def test_order_of_corpora_and_length_of_vectors_do_not_count(
    seed: int, rows: int, other: int
) -> None:
    """The measures are symmetric, and twice as long vectors are as far apart."""
    first, second = draw(seed, rows), draw(seed + 1, other)
    for measure in (average_pairwise_distance, cosine_of_means):
        assert measure(first, second) == pytest.approx(measure(second, first), abs=1e-12)
        assert measure(first, second) == pytest.approx(measure(2 * first, second), abs=1e-12)


def test_halves_are_added_in_full_precision() -> None:
    """The sums of many float16 vectors, which float16 cannot hold, do not overflow."""
    many = numpy.full((5000, 2), 60_000, dtype=numpy.float16)
    few = numpy.array([[1, 0]], dtype=numpy.float16)
    assert cosine_of_means(many, few) == pytest.approx(math.sqrt(0.5), abs=1e-12)
    assert average_pairwise_distance(many, few) == pytest.approx(1 - math.sqrt(0.5), abs=1e-12)


def test_equal_vectors_have_no_distance() -> None:
    """Rounding gives neither a negative distance nor a cosine above 1."""
    vectors = draw(3, 1).repeat(5, axis=0)
    assert 0 <= average_pairwise_distance(vectors, vectors) < 1e-12
    assert 1 - 1e-12 < cosine_of_means(vectors, vectors) <= 1


@given(COUNTS, COUNTS)
def test_the_divergence_is_in_bits(first: List[int], second: List[int]) -> None:
    """It equals the entropy of the mixture without the mean entropy, and lies in [0, 1]."""

    def entropy(shares: List[float]) -> float:
        return -sum(share * math.log2(share) for share in shares if share)

    shares = [[count / sum(counts) for count in counts] for counts in (first, second)]
    mixture = [(one + other) / 2 for one, other in zip(*shares)]
    expected = entropy(mixture) - sum(map(entropy, shares)) / 2
    found = jensen_shannon_divergence(numpy.array(first), numpy.array(second))
    assert found == pytest.approx(expected, abs=1e-9)
    assert 0 <= found <= 1


def test_clusters_of_one_corpus_each_diverge_by_one_bit() -> None:
    """The bounds are reached by distributions that share all or nothing."""
    assert jensen_shannon_divergence(numpy.array([3, 0]), numpy.array([0, 9])) == 1
    assert jensen_shannon_divergence(numpy.array([1, 2]), numpy.array([2, 4])) == 0


def test_an_unknown_distance_is_an_error() -> None:
    """The error names those that there are."""
    with pytest.raises(ConfigurationError, match="one of cosine, euclidean, canberra, got 'l3'"):
        average_pairwise_distance(draw(1, 2), draw(2, 2), "l3")
