"""The sum over the layers."""

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
    """The trick of the built-in's users goes on working."""
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
