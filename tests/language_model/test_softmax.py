"""The softmax over the vocabulary, in full and on a sample."""

from math import exp, log
from typing import List

import numpy
import pytest
import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.language_model.log_uniform import LogUniformSample, draw_log_uniform
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


@pytest.mark.parametrize("at_once", [1, 3 * NUM_WORDS, 1 << 24])
def test_the_loss_is_that_of_all_words(
    softmax: Softmax, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """However many tokens are computed at a time."""
    monkeypatch.setattr("allennlp_elmo_plugin.language_model.softmax.LOGITS_AT_ONCE", at_once)
    vectors, targets = _inputs()
    weight, bias = softmax.weight.detach().double().numpy(), softmax.bias.detach().numpy()
    logits = vectors.detach().double().numpy() @ weight.T + bias
    expected = numpy.log(numpy.exp(logits).sum(axis=1)) - logits[range(9), targets.numpy()]
    assert softmax(vectors, targets).tolist() == pytest.approx(expected.tolist(), abs=1e-5)


def test_no_tokens_have_no_losses(softmax: Softmax) -> None:
    """Neither way."""
    vectors, targets = _inputs(0)
    assert softmax(vectors, targets).shape == (0,)
    assert softmax.sampled(vectors, targets, 3).shape == (0,)


def _slow_sampled_loss(
    softmax: Softmax, vectors: torch.Tensor, targets: torch.Tensor, sample: LogUniformSample
) -> torch.Tensor:
    """Word by word, as TensorFlow's documentation of `sampled_softmax_loss` says."""

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
def test_a_sample_is_corrected(softmax: Softmax, num_samples: int) -> None:
    """By how likely its words are; the target itself is not counted twice. Gradients as well."""
    vectors, targets = _inputs()
    torch.manual_seed(7)
    loss = softmax.sampled(vectors, targets, num_samples)
    got = torch.autograd.grad(loss.pow(2).sum(), [vectors, softmax.weight, softmax.bias])
    torch.manual_seed(7)
    sample = draw_log_uniform(num_samples, NUM_WORDS)
    expected = _slow_sampled_loss(softmax, vectors, targets, sample)
    assert torch.allclose(loss, expected, atol=1e-5)
    wanted = torch.autograd.grad(expected.pow(2).sum(), [vectors, softmax.weight, softmax.bias])
    for mine, theirs in zip(got, wanted):
        assert torch.allclose(mine, theirs, atol=1e-4)


def test_samples_lead_where_the_whole_leads(softmax: Softmax) -> None:
    """The mean of the gradients of many samples has nearly the direction of the true one."""
    vectors, targets = _inputs()
    (expected,) = torch.autograd.grad(softmax(vectors, targets).sum(), vectors)
    torch.manual_seed(2)
    mean = torch.zeros_like(expected)
    for _ in range(200):
        (gradient,) = torch.autograd.grad(softmax.sampled(vectors, targets, 8).sum(), vectors)
        mean += gradient / 200
    assert torch.cosine_similarity(mean.flatten(), expected.flatten(), dim=0) > 0.98


@pytest.mark.parametrize("num_samples", [NUM_WORDS, NUM_WORDS + 1])
def test_a_sample_is_smaller_than_the_vocabulary(softmax: Softmax, num_samples: int) -> None:
    """The message names the option and both numbers."""
    with pytest.raises(ConfigurationError, match=rf"'num_samples'.*12 words.*{num_samples}"):
        softmax.sampled(*_inputs(), num_samples)


@pytest.mark.parametrize(("num_samples", "num_ids"), [(1, 2), (9, 10), (50, 1000), (300, 400)])
def test_ids_are_different(num_samples: int, num_ids: int) -> None:
    """As many as are wanted, none beyond the last, from at least as many draws."""
    torch.manual_seed(0)
    ids, num_draws, _ = draw_log_uniform(num_samples, num_ids)
    assert ids.dtype == torch.int64 and len(set(ids.tolist())) == len(ids) == num_samples
    assert int(ids.min()) >= 0 and int(ids.max()) < num_ids
    assert num_draws >= num_samples


def test_ids_are_drawn_by_their_rank() -> None:
    """The first one drawn follows Zipf's law; each is drawn as often as is said."""
    torch.manual_seed(0)
    samples = [draw_log_uniform(3, 20) for _ in range(4000)]
    first = numpy.bincount([int(sample.ids[0]) for sample in samples], minlength=20) / 4000
    theory = [log((rank + 2) / (rank + 1)) / log(21) for rank in range(20)]
    assert first == pytest.approx(theory, abs=0.03)
    drawn = numpy.bincount(torch.cat([s.ids for s in samples]).numpy(), minlength=20) / 4000
    said = torch.stack([s.log_expected_counts(torch.arange(20)).exp() for s in samples]).mean(0)
    assert drawn == pytest.approx(said.numpy(), abs=0.1)


def test_expected_counts_keep_their_precision() -> None:
    """Also of words that are hardly ever drawn."""
    sample = LogUniformSample(torch.tensor([0]), 1000, 800_000)
    rank = 799_999
    probability = log(1 + 1 / (rank + 1)) / log(800_001)
    got = float(sample.log_expected_counts(torch.tensor([rank])))
    assert exp(got) == pytest.approx(1000 * probability, rel=1e-3)
