"""Tests that the scores of a softmax on the compiled kernels agree with those of PyTorch."""

from typing import Iterator, Tuple

import pytest
import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.kernels import (
    PRECISIONS,
    Kernels,
    TiledMatrix,
    WordScores,
    choose_kernels,
    kernel_word_scores,
    round_activations,
    tile_matrix,
    untile_matrix,
    use_kernels,
)
from tests.support.kernels import CAPABILITIES

SIZES = [(16, 64), (48, 448), (80, 512), (64, 576), (2064, 1088)]
"""Size of the vectors and number of words: one panel, and blocks that are filled or not."""

Case = Tuple[torch.Tensor, TiledMatrix, torch.Tensor, torch.Tensor]


@pytest.fixture(name="kernels", params=CAPABILITIES)
def _kernels(request: pytest.FixtureRequest) -> Kernels:
    with use_kernels(request.param):
        kernels = choose_kernels()
    assert kernels is not None and kernels.capability == request.param
    return kernels


def _case(size: int, num_words: int, num_rows: int, precision: str, spread: float = 3.0) -> Case:
    """Returns vectors, the matrix and the bias of a softmax, and a word for each vector."""
    torch.manual_seed(size + num_words)
    matrix = tile_matrix(torch.randn(num_words, size) * spread / size**0.5, precision)
    # Rows that are no words fill up the last panel.
    bias = torch.randn(num_words)
    bias[-3:] = float("-inf")
    return torch.randn(num_rows, size), matrix, bias, torch.randint(num_words - 3, (num_rows,))


def _expected(case: Case) -> WordScores:
    """Returns the scores in float64, of the rounded numbers."""
    inputs, matrix, bias, words = case
    rounded = round_activations(inputs, matrix.precision).double()
    logits = rounded @ untile_matrix(matrix).double().t() + bias.double()
    chosen = logits.gather(1, words.unsqueeze(1))
    log_probabilities = logits.log_softmax(dim=1).gather(1, words.unsqueeze(1)).squeeze(1)
    return WordScores(log_probabilities, (logits > chosen).sum(dim=1) + 1)


@pytest.mark.parametrize("num_rows", [1, 6, 7, 130])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("precision", PRECISIONS)
def test_scores_are_those_of_pytorch(
    kernels: Kernels, precision: str, sizes: Tuple[int, int], num_rows: int
) -> None:
    """Log probabilities agree, and so do ranks, up to logits that are equal but for rounding."""
    case = _case(*sizes, num_rows, precision)
    found, expected = kernel_word_scores(kernels, *case), _expected(case)
    # An activation halfway between two int8 values is rounded either way.
    tolerance = 0.05 if precision == "int8" else 2e-5
    assert found.log_probabilities.dtype == torch.float64
    assert torch.allclose(
        found.log_probabilities, expected.log_probabilities, rtol=0, atol=tolerance
    )
    if precision != "int8":
        assert (found.ranks - expected.ranks).abs().max() <= 1


@pytest.mark.parametrize("spread", [1e-3, 60.0, 3000.0])
def test_logits_of_any_size_have_finite_scores(kernels: Kernels, spread: float) -> None:
    """Exponentials neither overflow nor vanish where the softmax is flat or has one peak."""
    case = _case(48, 640, 9, "float32", spread)
    found, expected = kernel_word_scores(kernels, *case), _expected(case)
    assert torch.allclose(found.log_probabilities, expected.log_probabilities, rtol=1e-5, atol=1e-5)


def test_equal_words_share_the_better_rank(kernels: Kernels) -> None:
    """A word of the same logit is not larger, whichever panel it is in."""
    weight = torch.zeros(1088, 16)
    weight[1000, 0] = 1.0
    inputs, words = torch.ones(2, 16), torch.tensor([1000, 7])
    found = kernel_word_scores(kernels, inputs, tile_matrix(weight), torch.zeros(1088), words)
    assert found.ranks.tolist() == [1, 2]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_rows_and_threads_change_no_bit(kernels: Kernels, precision: str, threads: None) -> None:
    """A row has the same scores alone, among others, and on any number of threads."""
    inputs, matrix, bias, words = _case(48, 1088, 140, precision)
    together = kernel_word_scores(kernels, inputs, matrix, bias, words)
    for number in (1, 2, 3):
        torch.set_num_threads(number)
        for rows in (slice(0, 1), slice(5, 12), slice(127, 140)):
            found = kernel_word_scores(kernels, inputs[rows], matrix, bias, words[rows])
            for one, other in zip(found, together):
                assert torch.equal(one, other[rows])


@pytest.fixture(name="threads")
def _threads() -> Iterator[None]:
    """Restores the number of threads after the test."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_nan_is_not_hidden(kernels: Kernels, precision: str) -> None:
    """NaN reaches the log probability of its row, and of no other."""
    inputs, matrix, bias, words = _case(48, 640, 7, precision)
    inputs[2, 5] = float("nan")
    found = kernel_word_scores(kernels, inputs, matrix, bias, words).log_probabilities
    assert found.isnan().tolist() == [row == 2 for row in range(7)]


@pytest.mark.parametrize("word", [-1, 640, 1 << 40])
def test_words_that_are_none_are_refused(kernels: Kernels, word: int) -> None:
    """A word outside of the matrix is an error, before anything is read there."""
    inputs, matrix, bias, words = _case(48, 640, 7, "float32")
    words[3] = word
    with pytest.raises(ConfigurationError, match="words from 0 to 639"):
        kernel_word_scores(kernels, inputs, matrix, bias, words)


def test_inputs_that_do_not_fit_are_refused(kernels: Kernels) -> None:
    """Vectors of another size, another dtype, or another number of words are errors."""
    inputs, matrix, bias, words = _case(48, 640, 7, "float32")
    for other in (inputs[:, :32], inputs.double()):
        with pytest.raises(ConfigurationError, match="inputs of size 48"):
            kernel_word_scores(kernels, other, matrix, bias, words)
    with pytest.raises(ConfigurationError, match="an int64 word for each"):
        kernel_word_scores(kernels, inputs, matrix, bias, words[1:])
