"""The nearest contexts and the nearest words."""

import math
from typing import List, Tuple
from unittest.mock import patch

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allennlp_elmo_plugin.look import neighbours
from allennlp_elmo_plugin.look.neighbours import nearest_contexts, nearest_words, word_means


def cosine(first: List[float], second: List[float]) -> float:
    """Returns a cosine, in plain Python."""
    product = sum(a * b for a, b in zip(first, second))
    return product / (math.hypot(*first) * math.hypot(*second))


def sorted_by_cosine(
    query: List[float], candidates: List[List[float]], own: int
) -> List[Tuple[float, int]]:
    """Returns all candidates but one, the nearest first."""
    others = [(cosine(query, each), n) for n, each in enumerate(candidates) if n != own]
    return sorted(others, key=lambda pair: (-pair[0], pair[1]))


@pytest.mark.parametrize("chunk_rows", [3, 512])
def test_contexts_are_those_of_plain_python(chunk_rows: int) -> None:
    """Neighbours and cosines are those of a loop, whatever the size of a chunk."""
    vectors = numpy.random.RandomState(0).normal(size=(20, 5)).astype(numpy.float32)
    with patch.object(neighbours, "CHUNK_ROWS", chunk_rows):
        found = nearest_contexts(vectors, 4)
    rows = vectors.tolist()
    for token, row in enumerate(rows):
        expected = sorted_by_cosine(row, rows, token)[:4]
        assert found.ids[token].tolist() == [number for _, number in expected]
        assert found.cosines[token] == pytest.approx([value for value, _ in expected], abs=1e-6)


def test_words_are_those_of_plain_python() -> None:
    """A word's vector is the mean of its tokens, and a token's own word is left out."""
    vectors = numpy.random.RandomState(1).normal(size=(12, 5)).astype(numpy.float32)
    word_ids = numpy.array([0, 1, 2, 0, 3, 1, 0, 4, 2, 3, 3, 4])
    means = [
        [sum(column) / len(column) for column in zip(*vectors[word_ids == word].tolist())]
        for word in range(5)
    ]
    assert word_means(vectors, word_ids) == pytest.approx(numpy.array(means), abs=1e-6)
    found = nearest_words(vectors, word_ids, 3)
    for token, row in enumerate(vectors.tolist()):
        expected = sorted_by_cosine(row, means, word_ids[token])[:3]
        assert found.ids[token].tolist() == [number for _, number in expected]


def test_equal_cosines_come_in_the_order_of_the_text() -> None:
    """Occurrences of a word in the token layer have equal vectors."""
    vectors = numpy.repeat(numpy.random.RandomState(2).normal(size=(1, 64)), 30, axis=0)
    found = nearest_contexts(vectors.astype(numpy.float32), 3)
    assert found.ids[0].tolist() == [1, 2, 3]
    assert found.ids[2].tolist() == [0, 1, 3]


def test_too_few_neighbours_are_marked() -> None:
    """-1 stands in the places that no neighbour has, and a lone token has none."""
    vectors = numpy.eye(3, dtype=numpy.float32)
    assert nearest_contexts(vectors, 4).ids[1].tolist() == [0, 2, -1, -1]
    assert nearest_contexts(vectors[:1], 2).ids.tolist() == [[-1, -1]]


def test_a_vector_of_zeros_has_cosine_zero() -> None:
    """No number is undefined."""
    vectors = numpy.array([[0.0, 0.0], [1.0, 0.0], [-1.0, 0.0]], dtype=numpy.float32)
    found = nearest_contexts(vectors, 2)
    assert found.cosines.tolist() == [[0.0, 0.0], [0.0, -1.0], [0.0, -1.0]]


@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 99))
def test_neighbours_are_distinct_others(num_tokens: int, topn: int, seed: int) -> None:
    """A token has as many neighbours as there can be, all distinct, and is none itself."""
    drawn = numpy.random.RandomState(seed).randint(-1, 2, (num_tokens, 2))
    found = nearest_contexts(drawn.astype(numpy.float32), topn)
    for token, row in enumerate(found.ids.tolist()):
        others = [number for number in row if number >= 0]
        assert len(set(others)) == min(topn, num_tokens - 1)
        assert token not in others
    assert (numpy.diff(found.cosines[:, : min(topn, num_tokens - 1)], axis=1) <= 1e-6).all()
