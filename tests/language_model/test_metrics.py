"""What the training of a language model is measured by."""

from math import exp

import pytest
import torch

from allennlp_elmo_plugin.language_model.metrics import (
    TokenAverage,
    TokenPerplexity,
    TokensPerSecond,
)


def test_every_token_counts_the_same() -> None:
    """However tokens are spread over batches."""
    average, perplexity = TokenAverage(), TokenPerplexity()
    for losses in ([1.0, 2.0, 3.0], [6.0], []):
        average(torch.tensor(losses))
        perplexity(torch.tensor(losses))
    assert average.get_metric() == pytest.approx(3.0)
    assert perplexity.get_metric(reset=True) == pytest.approx(exp(3.0))
    assert perplexity.get_metric() == 0.0


def test_a_share_is_an_average() -> None:
    """Of tokens that are marked."""
    average = TokenAverage()
    average(torch.tensor([True, False, False, True]))
    assert average.get_metric(reset=True) == 0.5
    assert average.get_metric() == 0.0


def test_a_hopeless_loss_has_a_perplexity() -> None:
    """Rather than an error after days of training."""
    perplexity = TokenPerplexity()
    perplexity(torch.tensor([1e6]))
    assert 1e300 < perplexity.get_metric() < float("inf")


def test_tokens_are_counted_from_the_second_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock starts when the first one is there."""
    times = iter([10.0, 12.0, 14.0, 50.0, 51.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(times))
    speed = TokensPerSecond()
    assert speed.get_metric() == 0.0
    for num_tokens in (100, 6, 2):
        speed(num_tokens)
    assert speed.get_metric(reset=True) == 2.0
    speed(100)
    assert speed.get_metric() == 0.0
    speed(7)
    assert speed.get_metric() == 7.0
