"""The log-uniform proposal distribution of the sampled softmax."""

from math import exp, log

import numpy
import pytest
import torch

from allennlp_elmo_plugin.language_model.proposal_distribution import (
    LogUniformSample,
    draw_log_uniform,
)


@pytest.mark.parametrize(("num_samples", "num_ids"), [(1, 2), (9, 10), (50, 1000), (300, 400)])
def test_a_sample_has_distinct_ids(num_samples: int, num_ids: int) -> None:
    """It has the given number of ids, all in range, from at least as many draws."""
    torch.manual_seed(0)
    ids, num_draws, _ = draw_log_uniform(num_samples, num_ids)
    assert ids.dtype == torch.int64 and len(set(ids.tolist())) == len(ids) == num_samples
    assert int(ids.min()) >= 0 and int(ids.max()) < num_ids
    assert num_draws >= num_samples


def test_the_distribution_is_log_uniform() -> None:
    """Frequencies equal the formula for one draw, and the expected counts for a whole sample."""
    torch.manual_seed(0)
    samples = [draw_log_uniform(3, 20) for _ in range(4000)]
    first = numpy.bincount([int(sample.ids[0]) for sample in samples], minlength=20) / 4000
    probabilities = [log((rank + 2) / (rank + 1)) / log(21) for rank in range(20)]
    assert first == pytest.approx(probabilities, abs=0.03)
    drawn = numpy.bincount(torch.cat([s.ids for s in samples]).numpy(), minlength=20) / 4000
    expected = torch.stack([s.log_expected_counts(torch.arange(20)).exp() for s in samples]).mean(0)
    assert drawn == pytest.approx(expected.numpy(), abs=0.1)


def test_expected_counts_of_rare_words_are_precise() -> None:
    """No digits are lost for a word that is hardly ever drawn."""
    sample = LogUniformSample(torch.tensor([0]), 1000, 800_000)
    rank = 799_999
    probability = log(1 + 1 / (rank + 1)) / log(800_001)
    got = float(sample.log_expected_counts(torch.tensor([rank])))
    assert exp(got) == pytest.approx(1000 * probability, rel=1e-3)
