"""The metrics of a language model."""

from math import exp

import pytest
import torch

from allennlp_elmo_plugin.language_model.metrics import (
    TokenAverage,
    TokenPerplexity,
    TokensPerSecond,
)


def test_every_token_has_the_same_weight() -> None:
    """The sizes of the batches do not matter, and a reset clears the metric."""
    average, perplexity = TokenAverage(), TokenPerplexity()
    for losses in ([1.0, 2.0, 3.0], [6.0], []):
        average(torch.tensor(losses))
        perplexity(torch.tensor(losses))
    assert average.get_metric() == pytest.approx(3.0)
    assert perplexity.get_metric(reset=True) == pytest.approx(exp(3.0))
    assert perplexity.get_metric() == 0.0


def test_the_average_of_booleans_is_a_share() -> None:
    """Booleans are averaged as 0 and 1."""
    average = TokenAverage()
    average(torch.tensor([True, False, False, True]))
    assert average.get_metric(reset=True) == 0.5
    assert average.get_metric() == 0.0


def test_a_huge_loss_has_a_finite_perplexity() -> None:
    """The exponential does not overflow."""
    perplexity = TokenPerplexity()
    perplexity(torch.tensor([1e6]))
    assert 1e300 < perplexity.get_metric() < float("inf")


def test_tokens_are_counted_from_the_second_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock starts at the end of the first batch, after a reset as well."""
    times = iter([10.0, 12.0, 14.0, 50.0, 51.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(times))
    throughput = TokensPerSecond()
    assert throughput.get_metric() == 0.0
    for num_tokens in (100, 6, 2):
        throughput(num_tokens)
    assert throughput.get_metric(reset=True) == 2.0
    throughput(100)
    assert throughput.get_metric() == 0.0
    throughput(7)
    assert throughput.get_metric() == 7.0
