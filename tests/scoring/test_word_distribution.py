"""The distribution over a whole vocabulary."""

from typing import Tuple
from unittest.mock import patch

import numpy
import pytest
import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.kernels import choose_kernels
from allennlp_elmo_plugin.scoring import word_distribution
from allennlp_elmo_plugin.scoring.word_distribution import WordDistribution

NUM_VECTORS = 150
needs_kernels = pytest.mark.skipif(choose_kernels() is None, reason="there are no kernels")


def _parts(num_words: int, size: int) -> Tuple[torch.Tensor, ...]:
    """Returns a weight, a bias, vectors and words."""
    generator = torch.Generator().manual_seed(num_words)
    weight, bias, vectors = (
        torch.randn(shape, generator=generator)
        for shape in ((num_words, size), (num_words,), (NUM_VECTORS, size))
    )
    return weight, bias, vectors, torch.randint(num_words, (NUM_VECTORS,), generator=generator)


def _log_softmax(weight: torch.Tensor, bias: torch.Tensor, vectors: torch.Tensor) -> numpy.ndarray:
    logits = vectors.numpy().astype("float64") @ weight.numpy().T.astype("float64") + bias.numpy()
    largest = logits.max(axis=1, keepdims=True)
    return logits - largest - numpy.log(numpy.exp(logits - largest).sum(axis=1, keepdims=True))


# 16 has kernels, and 12 has none.
@pytest.mark.parametrize("size", [12, 16])
@pytest.mark.parametrize("num_words", [1, 37, 64, 129, 1000])
def test_scores_are_those_of_numpy(num_words: int, size: int) -> None:
    """Log probabilities and ranks for vocabularies that fill groups of words or do not."""
    weight, bias, vectors, words = _parts(num_words, size)
    expected = _log_softmax(weight, bias, vectors)
    found = WordDistribution(weight, bias).score(vectors, words)
    chosen = numpy.take_along_axis(expected, words.numpy()[:, None], 1)
    assert found.log_probabilities.dtype == torch.float64
    assert numpy.allclose(found.log_probabilities, chosen[:, 0], rtol=1e-5, atol=1e-6)
    assert numpy.array_equal(found.ranks, 1 + (expected > chosen).sum(axis=1))


@needs_kernels
def test_a_vector_has_the_same_bits_in_any_batch() -> None:
    """Scores do not depend on the vectors beside it, nor on the chunks."""
    weight, bias, vectors, words = _parts(1000, 16)
    distribution = WordDistribution(weight, bias)
    expected = distribution.score(vectors, words)
    with patch.object(word_distribution, "MAX_LOGITS", 7000):
        chunked = distribution.score(vectors, words)
    single = [distribution.score(vectors[i : i + 1], words[i : i + 1]) for i in range(NUM_VECTORS)]
    alone = [torch.cat(parts) for parts in zip(*single)]
    for found in (chunked, alone):
        for one, other in zip(found, expected):
            assert torch.equal(one, other)


def test_equal_words_share_the_better_rank() -> None:
    """Words of equal probability have one rank, and the next word counts all of them."""
    bias = torch.tensor([0.0, 2.0, 2.0, 1.0])
    distribution = WordDistribution(torch.zeros(4, 16), bias)
    found = distribution.score(torch.ones(4, 16), torch.arange(4))
    assert found.ranks.tolist() == [4, 1, 1, 3]


def test_large_logits_do_not_overflow() -> None:
    """The exponential of a logit may be beyond float32."""
    distribution = WordDistribution(torch.full((3, 16), 100.0), torch.tensor([0.0, 0.0, -5000.0]))
    found = distribution.score(torch.ones(2, 16), torch.tensor([0, 2]))
    assert found.log_probabilities.tolist() == pytest.approx([-numpy.log(2), -5000 - numpy.log(2)])


@pytest.mark.parametrize("size", [12, 16])
def test_the_best_words_are_those_of_numpy(size: int) -> None:
    """The best words of one direction, and of the normalized product of both."""
    weight, bias, vectors, _ = _parts(129, size)
    others = vectors.flip(0)
    distribution = WordDistribution(weight, bias)
    single = _log_softmax(weight, bias, vectors)
    product = single + _log_softmax(weight, bias, others)
    product -= numpy.log(numpy.exp(product).sum(axis=1, keepdims=True))
    for expected, second in ((single, None), (product, others)):
        words, found = distribution.best(vectors, 5, second)
        order = numpy.argsort(-expected, axis=1)[:, :5]
        assert numpy.array_equal(words, order)
        assert numpy.allclose(found, numpy.take_along_axis(expected, order, 1), atol=1e-5)


def test_excluded_words_keep_their_probability() -> None:
    """They are no candidates, and the others are not more probable without them."""
    weight, bias, vectors, _ = _parts(40, 16)
    distribution = WordDistribution(weight, bias)
    words, found = distribution.best(vectors, 40)
    left, log_probabilities = distribution.best(vectors, 39, excluded=words[0, :1])
    assert not (left == words[0, 0]).any()
    assert torch.equal(left[0], words[0, 1:]) and torch.equal(log_probabilities[0], found[0, 1:])


@pytest.mark.parametrize("number", [0, 10])
def test_there_must_be_as_many_candidates(number: int) -> None:
    """The error tells how many there are."""
    distribution = WordDistribution(*_parts(10, 16)[:2])
    with pytest.raises(ConfigurationError, match="from 1 to 9.*got"):
        distribution.best(torch.ones(1, 16), number, excluded=torch.tensor([3]))


@needs_kernels
@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_a_reduced_precision_is_near(precision: str) -> None:
    """Probabilities change little, and the digest changes."""
    weight, bias, vectors, words = _parts(100, 16)
    exact, reduced = WordDistribution(weight, bias), WordDistribution(weight, bias, precision)
    one, other = (each.score(vectors, words).log_probabilities for each in (exact, reduced))
    assert 0 < (one - other).abs().max() < 0.3
    assert exact.digest() != reduced.digest()


def test_there_may_be_no_vectors() -> None:
    """No vectors have no scores."""
    weight, bias, vectors, words = _parts(40, 16)
    found = WordDistribution(weight, bias).score(vectors[:0], words[:0])
    assert found.log_probabilities.shape == found.ranks.shape == (0,)
