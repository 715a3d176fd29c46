"""The softmax over the vocabulary, full and sampled."""

from math import log
from typing import List

import numpy
import pytest
import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.language_model.proposal_distribution import (
    LogUniformSample,
    draw_log_uniform,
)
from allennlp_elmo_plugin.language_model.softmax import Softmax

NUM_WORDS, SIZE = 12, 5


@pytest.fixture(name="softmax")
def _softmax() -> Softmax:
    torch.manual_seed(0)
    softmax = Softmax(NUM_WORDS, SIZE)
    with torch.no_grad():
        softmax.bias.normal_()
    return softmax


def _inputs(tokens: int = 9) -> List[torch.Tensor]:
    torch.manual_seed(1)
    return [torch.randn(tokens, SIZE, requires_grad=True), torch.arange(tokens) % NUM_WORDS]


@pytest.mark.parametrize("max_logits", [1, 3 * NUM_WORDS, 1 << 24])
def test_the_full_loss_counts_every_word(
    softmax: Softmax, monkeypatch: pytest.MonkeyPatch, max_logits: int
) -> None:
    """The loss equals NumPy's in float64, and does not depend on the size of the chunks."""
    monkeypatch.setattr("allennlp_elmo_plugin.language_model.softmax.MAX_LOGITS", max_logits)
    vectors, targets = _inputs()
    weight, bias = softmax.weight.detach().double().numpy(), softmax.bias.detach().numpy()
    logits = vectors.detach().double().numpy() @ weight.T + bias
    expected = numpy.log(numpy.exp(logits).sum(axis=1)) - logits[range(9), targets.numpy()]
    assert softmax(vectors, targets).tolist() == pytest.approx(expected.tolist(), abs=1e-5)


def test_no_tokens_have_no_losses(softmax: Softmax) -> None:
    """For no tokens, both losses are empty tensors."""
    vectors, targets = _inputs(0)
    assert softmax(vectors, targets).shape == (0,)
    assert softmax.sampled(vectors, targets, 3).shape == (0,)


def _slow_sampled_loss(
    softmax: Softmax, vectors: torch.Tensor, targets: torch.Tensor, sample: LogUniformSample
) -> torch.Tensor:
    """Computes the sampled loss word by word, as TensorFlow's `sampled_softmax_loss` documents."""

    def log_count(word: int) -> float:
        probability = log((word + 2) / (word + 1)) / log(NUM_WORDS + 1)
        return log(1 - (1 - probability) ** sample.num_draws)

    losses = []
    for vector, target in zip(vectors, targets.tolist()):
        words = [target] + [word for word in sample.ids.tolist() if word != target]
        logits = [
            softmax.weight[word] @ vector + softmax.bias[word] - log_count(word) for word in words
        ]
        losses.append(torch.stack(logits).logsumexp(0) - logits[0])
    return torch.stack(losses)


@pytest.mark.parametrize("num_samples", [1, 4, NUM_WORDS - 1])
def test_the_sampled_loss_is_corrected(softmax: Softmax, num_samples: int) -> None:
    """Loss and gradients equal a slow computation with expected counts and accidental hits."""
    vectors, targets = _inputs()
    torch.manual_seed(7)
    loss = softmax.sampled(vectors, targets, num_samples)
    got = torch.autograd.grad(loss.pow(2).sum(), [vectors, softmax.weight, softmax.bias])
    torch.manual_seed(7)
    sample = draw_log_uniform(num_samples, NUM_WORDS)
    expected = _slow_sampled_loss(softmax, vectors, targets, sample)
    assert torch.allclose(loss, expected, atol=1e-5)
    wanted = torch.autograd.grad(expected.pow(2).sum(), [vectors, softmax.weight, softmax.bias])
    for gradient, expected_gradient in zip(got, wanted):
        assert torch.allclose(gradient, expected_gradient, atol=1e-4)


def test_the_sampled_gradient_approximates_the_full_one(softmax: Softmax) -> None:
    """The mean gradient of many samples has nearly the direction of the full softmax's."""
    vectors, targets = _inputs()
    (expected,) = torch.autograd.grad(softmax(vectors, targets).sum(), vectors)
    torch.manual_seed(2)
    mean = torch.zeros_like(expected)
    for _ in range(200):
        (gradient,) = torch.autograd.grad(softmax.sampled(vectors, targets, 8).sum(), vectors)
        mean += gradient / 200
    assert torch.cosine_similarity(mean.flatten(), expected.flatten(), dim=0) > 0.98


@pytest.mark.parametrize("num_samples", [NUM_WORDS, NUM_WORDS + 1])
def test_a_sample_as_large_as_the_vocabulary_is_an_error(
    softmax: Softmax, num_samples: int
) -> None:
    """The error names the option and both numbers."""
    with pytest.raises(ConfigurationError, match=rf"'num_samples'.*12 words.*{num_samples}"):
        softmax.sampled(*_inputs(), num_samples)
