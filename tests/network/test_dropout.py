"""The dropout of a training."""

import pytest
import torch

from allennlp_elmo_plugin.network.dropout import dropout


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("offset", range(4))
def test_each_number_is_dropped_as_often_as_is_said(probability: float, offset: int) -> None:
    """Whichever part of a random word it is that decides on a number."""
    torch.manual_seed(0)
    kept = dropout(torch.ones(400_001), probability)[offset::4] != 0
    assert kept.float().mean().item() == pytest.approx(1 - probability, abs=0.01)


def test_the_mean_stays() -> None:
    """What is kept is scaled by what is dropped."""
    torch.manual_seed(0)
    numbers = dropout(torch.full((100_000,), 3.0), 0.2)
    assert set(numbers.unique().tolist()) == {0.0, 3.75}
    assert numbers.mean().item() == pytest.approx(3.0, abs=0.02)


def test_neighbours_are_dropped_independently() -> None:
    """Numbers that share a random word have nothing to do with each other."""
    torch.manual_seed(0)
    kept = (dropout(torch.ones(100_000, 4), 0.5) != 0).float()
    correlations = torch.corrcoef(kept.t()) - torch.eye(4)
    assert correlations.abs().max() < 0.02


def test_gradients_go_where_numbers_went() -> None:
    """The same numbers are dropped on the way back, with the same scale."""
    inputs = torch.rand(5, 7, requires_grad=True)
    outputs = dropout(inputs, 0.5)
    outputs.sum().backward()
    assert inputs.grad is not None
    assert torch.equal(inputs.grad * inputs, outputs)


def test_nothing_is_dropped_without_a_probability() -> None:
    """No random numbers are drawn either."""
    inputs, state = torch.rand(3), torch.get_rng_state()
    assert dropout(inputs, 0.0) is inputs
    assert torch.equal(torch.get_rng_state(), state)


def test_the_same_seed_drops_the_same() -> None:
    """It draws from PyTorch's random numbers."""
    results = []
    for _ in range(2):
        torch.manual_seed(5)
        results.append(dropout(torch.ones(9), 0.5))
    assert torch.equal(*results)
