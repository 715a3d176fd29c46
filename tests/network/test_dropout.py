"""The dropout that training uses."""

import pytest
import torch

from allennlp_elmo_plugin.network.dropout import fast_dropout


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("offset", range(4))
def test_each_number_is_dropped_with_the_probability(probability: float, offset: int) -> None:
    """All four quarters of a random number drop elements with the same probability."""
    torch.manual_seed(0)
    kept = fast_dropout(torch.ones(400_001), probability)[offset::4] != 0
    assert kept.float().mean().item() == pytest.approx(1 - probability, abs=0.01)


def test_the_mean_stays() -> None:
    """The elements that stay are scaled, so the mean is that of the input."""
    torch.manual_seed(0)
    numbers = fast_dropout(torch.full((100_000,), 3.0), 0.2)
    assert set(numbers.unique().tolist()) == {0.0, 3.75}
    assert numbers.mean().item() == pytest.approx(3.0, abs=0.02)


def test_neighbours_are_dropped_independently() -> None:
    """Elements that share a random number are uncorrelated."""
    torch.manual_seed(0)
    kept = (fast_dropout(torch.ones(100_000, 4), 0.5) != 0).float()
    correlations = torch.corrcoef(kept.t()) - torch.eye(4)
    assert correlations.abs().max() < 0.02


def test_gradients_go_where_numbers_went() -> None:
    """Gradients are dropped and scaled as the elements were."""
    inputs = torch.rand(5, 7, requires_grad=True)
    outputs = fast_dropout(inputs, 0.5)
    outputs.sum().backward()
    assert inputs.grad is not None
    assert torch.equal(inputs.grad * inputs, outputs)


def test_nothing_is_dropped_without_a_probability() -> None:
    """A probability of 0 gives the input itself and draws no random numbers."""
    inputs, state = torch.rand(3), torch.get_rng_state()
    assert fast_dropout(inputs, 0.0) is inputs
    assert torch.equal(torch.get_rng_state(), state)


def test_the_same_seed_drops_the_same() -> None:
    """The random numbers are PyTorch's, so its seed decides."""
    results = []
    for _ in range(2):
        torch.manual_seed(5)
        results.append(fast_dropout(torch.ones(9), 0.5))
    assert torch.equal(*results)
