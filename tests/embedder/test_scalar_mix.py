"""The weighted sum over the layers."""

from typing import List

import pytest
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.modules.scalar_mix import ScalarMix as BuiltInScalarMix

from allennlp_elmo_plugin import FixedScalarMix, LearnedScalarMix, ScalarMix

LAYERS = torch.randn(3, 2, 4, 5, generator=torch.Generator().manual_seed(0))
MASK = torch.tensor([[True, True, True, True], [True, True, False, False]])


def test_learned_starts_as_the_mean() -> None:
    """Equal weights and a gamma of 1 are the mean of the layers."""
    mixed = LearnedScalarMix(num_representations=3)(LAYERS, MASK)
    assert torch.allclose(mixed, LAYERS.mean(dim=0), atol=1e-6)


@pytest.mark.parametrize("do_layer_norm", [False, True])
def test_a_mix_is_the_builtins(do_layer_norm: bool) -> None:
    """Weights and gamma of any value give what AllenNLP's module gives."""
    ours = LearnedScalarMix(num_representations=3, do_layer_norm=do_layer_norm)
    theirs = BuiltInScalarMix(3, do_layer_norm, [0.5, -1.0, 2.0])
    theirs.gamma.data.fill_(0.7)
    ours.load_state_dict(theirs.state_dict())
    expected = theirs(list(LAYERS), MASK)
    assert torch.allclose(ours(LAYERS, MASK)[MASK], expected[MASK], atol=1e-6)


def test_fixed_picks_one_layer() -> None:
    """Weights that the built-in's users write for one layer give that layer."""
    mixed = FixedScalarMix([-9e10, 1, -9e10])(LAYERS, MASK)
    assert torch.equal(mixed, LAYERS[1])


def test_fixed_is_not_trained_and_learned_is() -> None:
    """Only the weights of `learned` reach the optimizer."""
    assert all(parameter.requires_grad for parameter in LearnedScalarMix(3).parameters())
    assert not any(parameter.requires_grad for parameter in FixedScalarMix([1, 2]).parameters())


def test_the_number_of_weights_is_checked() -> None:
    """Two weights for three layers are refused when the mix is built."""
    params = Params({"type": "fixed", "scalar_parameters": [1.0, 2.0], "num_representations": 3})
    with pytest.raises(ConfigurationError, match=r"Expected 3 scalar mix parameters.*got 2"):
        ScalarMix.from_params(params)


def test_the_number_of_layers_is_checked() -> None:
    """A mix for two layers refuses three."""
    with pytest.raises(ConfigurationError, match=r"Expected 2 layers.*got 3"):
        LearnedScalarMix(num_representations=2)(LAYERS, MASK)


@pytest.mark.parametrize(
    "params, weights",
    [
        ({"normalized": [0.25, 0.0, 0.75]}, [0.25, 0.0, 0.75]),
        ({"normalized": [0, 1, 0]}, [0.0, 1.0, 0.0]),
        ({"layers": "top"}, [0.0, 0.0, 1.0]),
        ({"layers": "average"}, [1 / 3, 1 / 3, 1 / 3]),
        ({"layers": 0}, [1.0, 0.0, 0.0]),
        ({"layers": 1}, [0.0, 1.0, 0.0]),
        ({"scalar_parameters": [0, 0, -9e10]}, [0.5, 0.5, 0.0]),
    ],
)
@pytest.mark.parametrize("do_layer_norm", [False, True])
def test_weights_can_be_given_in_plain_ways(
    params: dict, weights: List[float], do_layer_norm: bool
) -> None:
    """Each way to fix the weights gives the sum with these weights."""
    config = {"type": "fixed", "num_representations": 3, "do_layer_norm": do_layer_norm, **params}
    mixed = ScalarMix.from_params(Params(config))(LAYERS, MASK)
    layers = LAYERS.double()
    if do_layer_norm:
        words = layers[:, MASK].flatten(start_dim=1)
        mean, std = words.mean(dim=1), words.var(dim=1, unbiased=False).sqrt()
        layers = (layers - mean.view(3, 1, 1, 1)) / std.view(3, 1, 1, 1)
    expected = sum(weight * layer for weight, layer in zip(weights, layers))
    assert torch.allclose(mixed[MASK].double(), expected[MASK], atol=1e-6)


@pytest.mark.parametrize(
    "params, number",
    [
        ({"type": "learned"}, 3),
        ({"type": "fixed", "layers": "top"}, 3),
        ({"type": "fixed", "layers": "average"}, 3),
        ({"type": "fixed", "layers": 1}, 2),
        ({"type": "fixed", "layers": 0}, 1),
        ({"type": "fixed", "scalar_parameters": [-9e10, 1, -9e10]}, 2),
        ({"type": "fixed", "scalar_parameters": [0, 0, -50]}, 3),
    ],
)
def test_layers_behind_the_last_that_is_read_may_be_missing(params: dict, number: int) -> None:
    """A mix says how many layers it reads, and with these alone gives the same to the bit."""
    mix = ScalarMix.from_params(Params({**params, "num_representations": 3}))
    assert mix.num_representations_read() == number
    assert torch.equal(mix(LAYERS[:number], MASK), mix(LAYERS, MASK))


def test_fewer_layers_than_are_read_are_refused() -> None:
    """A mix of the second layer cannot do with the first."""
    with pytest.raises(ConfigurationError, match="first 2 are read, got 1"):
        FixedScalarMix(layers=1, num_representations=3)(LAYERS[:1], MASK)


def test_loaded_weights_decide_which_layers_are_read() -> None:
    """The layers that are read follow the weights of an archive, not those of the config."""
    mix = FixedScalarMix(layers=0, num_representations=3)
    mix.load_state_dict(FixedScalarMix(layers="top", num_representations=3).state_dict())
    assert mix.num_representations_read() == 3


def test_layer_norm_gives_zeros_outside_the_mask() -> None:
    """Positions behind a sentence are 0 with layer norm as well."""
    mixed = LearnedScalarMix(3, do_layer_norm=True)(LAYERS, MASK)
    assert not mixed[~MASK].any()


@pytest.mark.parametrize(
    "params, expected",
    [
        ({}, "exactly one of .* got none"),
        ({"layers": 1, "normalized": [0, 1, 0]}, "got normalized and layers"),
        ({"layers": 3}, "from 0 .* to 2, got 3"),
        ({"layers": -1}, "from 0 .* to 2, got -1"),
        ({"layers": "middle"}, "'top', 'average' or .* got 'middle'"),
        ({"normalized": [0.5, 0.5]}, "Expected 3 .* got 2"),
        ({"normalized": [1, 1, 1]}, "whose sum is 1"),
        ({"normalized": [-1, 1, 1]}, "from 0 up"),
    ],
)
def test_impossible_weights_are_refused(params: dict, expected: str) -> None:
    """Each error says what was expected and what was there."""
    with pytest.raises(ConfigurationError, match=expected):
        ScalarMix.from_params(Params({"type": "fixed", "num_representations": 3, **params}))


def test_a_layer_needs_the_number_of_layers() -> None:
    """A mix that names a layer has to know how many there are, which an embedder tells it."""
    with pytest.raises(ConfigurationError, match="'layers' 'top' needs 'num_representations'"):
        FixedScalarMix(layers="top")


def test_a_weight_that_is_trained_is_read_even_at_zero() -> None:
    """A trained weight may not stay 0, so its layer is computed."""
    mix = LearnedScalarMix(num_representations=3)
    with torch.no_grad():
        mix.scalar_parameters[2].fill_(-9e10)
    assert mix.num_representations_read() == 3
