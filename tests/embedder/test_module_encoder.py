"""The encoder that runs a module with the interface of AllenNLP's `_ElmoBiLm`."""

from copy import deepcopy
from typing import Any, Callable, Dict, Optional

import pytest
import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin import Elmo, FixedScalarMix
from allennlp_elmo_plugin.embedder.module_encoder import ModuleEncoder
from tests.support.sentences import spell

SIZE = 3


class CountingModule(torch.nn.Module):
    """
    A module whose layer k has k + 1 at each position, or what `change` makes of its output.

    # Parameters

    change : `Callable[[Dict[str, Any]], Any]`
        Function from the output as it should be to the one that is returned.
    """

    num_layers = 2

    def __init__(self, change: Callable[[Dict[str, Any]], Any] = lambda output: output) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1))
        self.change = change

    def get_output_dim(self) -> int:
        """Returns the size of each vector."""
        return SIZE

    def forward(self, inputs: torch.Tensor, word_inputs: Optional[torch.Tensor] = None) -> Any:
        """Returns the layers, padded with ones as well."""
        lengths = (inputs > 0).any(dim=-1).sum(dim=1, keepdim=True) + 2
        timesteps = inputs.size(1) + 2
        layer = self.scale * torch.ones(len(inputs), timesteps, SIZE)
        mask = torch.arange(timesteps) < lengths
        return self.change({"activations": [layer, 2 * layer], "mask": mask})


def _elmo(module: torch.nn.Module, **arguments: Any) -> Elmo:
    arguments = {"scalar_mix_parameters": [0.0, 0.0], "dropout": 0.0, **arguments}
    return Elmo(None, None, 1, module=module, **arguments)


def test_padding_is_zero_whatever_the_module_writes_there() -> None:
    """Tokens have the mean of the layers, and positions behind them are 0."""
    (vectors,) = _elmo(CountingModule())(spell("a b", "a"))["elmo_representations"]
    assert vectors[..., 0].tolist() == [[1.5, 1.5], [1.5, 0.0]]


def test_layers_that_nobody_reads_are_left_out() -> None:
    """A mix of the first layer gets the first layer alone."""
    encoder = ModuleEncoder(CountingModule())
    elmo = Elmo.from_parts(encoder, [FixedScalarMix(layers=0, num_representations=2)], dropout=0.0)
    assert elmo(spell("a b"))["elmo_representations"][0].tolist() == [[[1.0] * SIZE] * 2]


@pytest.mark.parametrize("characters", [1, 7])
def test_any_width_and_any_ids_are_allowed(characters: int) -> None:
    """A module may spell words in its own way."""
    ids = torch.full((1, 2, characters), 5000)
    assert _elmo(CountingModule())(ids)["mask"].tolist() == [[True, True]]


def test_the_module_is_registered_under_the_name_of_the_built_in() -> None:
    """Parameters are those of the module below `_elmo_lstm`, and a copy has its own."""
    module = CountingModule()
    elmo = _elmo(module)
    assert elmo._elmo_lstm is module
    assert next(iter(elmo.state_dict())) == "_elmo_lstm.scale"
    copied = deepcopy(elmo)
    copied._elmo_lstm.scale.data.fill_(2.0)
    assert float(copied(spell("a"))["elmo_representations"][0].detach().mean()) == 3.0
    assert float(elmo(spell("a"))["elmo_representations"][0].detach().mean()) == 1.5


def test_gradients_reach_the_module() -> None:
    """The module is trained with the model around it."""
    module = CountingModule()
    _elmo(module)(spell("a b", "a"))["elmo_representations"][0].sum().backward()
    assert module.scale.grad is not None and float(module.scale.grad) == 3 * SIZE * 1.5


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ({"options_file": "o"}, "both 'module' and 'options_file'"),
        ({"weight_file": "w"}, "both 'module' and 'weight_file'"),
        ({"module": None}, "'options_file' is None"),
        ({"module": None, "options_file": "o"}, "'weight_file' is None"),
        ({"num_output_representations": 0}, "a number from 1 up.*got 0"),
        ({"module": torch.nn.Linear(1, 1)}, "Linear lacks 'num_layers'"),
    ],
)
def test_one_source_of_layers_is_required(arguments: Dict[str, Any], expected: str) -> None:
    """A module and a file, or neither of them, are an error, and so is a module of another kind."""
    given = {"options_file": None, "weight_file": None, "num_output_representations": 1}
    with pytest.raises(ConfigurationError, match=expected):
        Elmo(**{**given, "module": CountingModule(), **arguments})


OUTPUTS: Dict[str, Any] = {
    "Expected CountingModule to return a dictionary.*got Tensor": lambda o: o["mask"].float(),
    "got dict\\['mask'\\]": lambda output: {"mask": output["mask"]},
    "Expected 2 layers of shape \\(1, 4, 3\\)": lambda o: {
        **o,
        "activations": o["activations"][1:],
    },
    "Expected CountingModule to return a 'mask'": lambda o: {**o, "mask": ~o["mask"]},
}


@pytest.mark.parametrize("expected", list(OUTPUTS))
def test_another_output_is_an_error(expected: str) -> None:
    """A module that returns something else is named, with what it returns."""
    with pytest.raises(ConfigurationError, match=expected):
        _elmo(CountingModule(OUTPUTS[expected]))(spell("a b"))


def test_word_ids_need_a_module_that_reads_them() -> None:
    """Word ids are an error unless 'vocab_to_cache' says that the module reads them."""
    ids, words = spell("a b"), torch.tensor([[1, 2]])
    with pytest.raises(ConfigurationError, match="'word_inputs'.*'vocab_to_cache'"):
        _elmo(CountingModule())(ids, words)
    assert _elmo(CountingModule(), vocab_to_cache=["a"])(ids, words)["mask"].all()
