"""What is made of parameters follows them."""

import copy
import pickle
from typing import Any, Callable, Dict, List

import pytest
import torch

from allennlp_elmo_plugin import ElmoOptions
from allennlp_elmo_plugin.kernels import available_kernels, use_kernels
from allennlp_elmo_plugin.network.char_cnn import CharCnn
from allennlp_elmo_plugin.network.derived_cache import DerivedCache
from allennlp_elmo_plugin.network.kernel_linear import Linear
from allennlp_elmo_plugin.network.projected_lstm import ProjectedLstm
from allennlp_elmo_plugin.network.spelling import spell_word
from tests.support.words import WORD_LIST

CAPABILITIES = [capability for capability in available_kernels() if capability != "plain"]
TOLERANCE = 1e-5


class _Holder(torch.nn.Module):
    """A module with one large parameter and one small one."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.matrix = torch.nn.Parameter(torch.randn(40, 50))
        self.vector = torch.nn.Parameter(torch.randn(3))
        self.derived = DerivedCache()
        self.made = 0

    def sums(self) -> List[float]:
        """Made of both parameters; counts how often."""

        def make() -> List[float]:
            self.made += 1
            return [self.matrix.sum().item(), self.vector.sum().item()]

        return self.derived.get("sums", [self.matrix, self.vector], make)


def _step(module: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
    for parameter in module.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()


def _change_in_place(module: torch.nn.Module) -> None:
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(0.5)


def _change_data(module: torch.nn.Module) -> None:
    for parameter in module.parameters():
        parameter.data.mul_(0.5)


def _replace_data(module: torch.nn.Module) -> None:
    for parameter in module.parameters():
        parameter.data = parameter.data * 0.5


def _replace_parameters(module: torch.nn.Module) -> None:
    for owner in list(module.modules()):
        for name, parameter in list(owner.named_parameters(recurse=False)):
            setattr(owner, name, torch.nn.Parameter(parameter.detach() * 0.5))


def _load(module: torch.nn.Module) -> None:
    halves = {name: parameter * 0.5 for name, parameter in module.state_dict().items()}
    module.load_state_dict(halves)


CHANGES: Dict[str, Callable[[torch.nn.Module], None]] = {
    "SGD": lambda module: _step(module, torch.optim.SGD(module.parameters(), lr=0.1)),
    "Adam": lambda module: _step(module, torch.optim.Adam(module.parameters(), lr=0.1)),
    "in place": _change_in_place,
    "data in place": _change_data,
    "other data": _replace_data,
    "other parameters": _replace_parameters,
    "load_state_dict": _load,
}


def test_what_does_not_change_is_made_once() -> None:
    """As long as the parameters stay as they are, so does what is made of them."""
    holder = _Holder()
    first = holder.sums()
    with torch.no_grad():
        holder.matrix.sum()
    holder.requires_grad_(False).eval()
    assert holder.sums() is first and holder.made == 1


@pytest.mark.parametrize("change", list(CHANGES))
def test_what_changes_is_made_anew(change: str) -> None:
    """However the parameters are changed; and then once."""
    holder = _Holder()
    before = holder.sums()
    CHANGES[change](holder)
    after = [holder.sums() for _ in range(3)]
    assert after == [[holder.matrix.sum().item(), holder.vector.sum().item()]] * 3
    assert after[0] != before and holder.made == 2


@pytest.mark.parametrize("name", ["matrix", "vector"])
def test_one_parameter_is_enough(name: str) -> None:
    """What is made of several follows each of them."""
    holder = _Holder()
    holder.sums()
    with torch.no_grad():
        getattr(holder, name)[1] += 1.0
    holder.sums()
    assert holder.made == 2


def test_things_are_kept_by_name() -> None:
    """One thing does not push out another that is made of the same parameters."""
    holder = _Holder()
    first = holder.sums()
    other = holder.derived.get("other", [holder.matrix, holder.vector], lambda: "other")
    assert other == "other" and holder.sums() is first and holder.made == 1


def test_what_is_freed_is_made_anew() -> None:
    """After it was cleared, nothing is kept."""
    holder = _Holder()
    holder.sums()
    holder.derived.clear()
    holder.sums()
    assert holder.made == 2


@pytest.mark.parametrize(
    "through",
    [copy.copy, copy.deepcopy, lambda copies: pickle.loads(pickle.dumps(copies))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_copies_of_copies_are_empty(through: Callable[[DerivedCache], DerivedCache]) -> None:
    """A pickle or a deep copy holds nothing, whatever was kept, and works."""
    copies = DerivedCache()
    parameter = torch.nn.Parameter(torch.randn(3))
    copies.get("name", [parameter], lambda: (part for part in "cannot be pickled"))
    assert through(copies).get("name", [parameter], lambda: "new") == "new"


def test_a_parameter_need_not_be_contiguous() -> None:
    """One whose data was replaced by a transposed matrix is watched as well."""
    holder = _Holder()
    holder.matrix.data = torch.randn(50, 40).t()
    before = holder.sums()
    holder.matrix.data.mul_(0.5)
    assert holder.sums() != before


def test_parameters_may_be_made_in_inference_mode() -> None:
    """They have no version, but can be changed."""
    with torch.inference_mode():
        holder = _Holder()
        before = holder.sums()
        assert holder.sums() is before
        holder.matrix.mul_(0.5)
        assert holder.sums() != before


class _Lstm(ProjectedLstm):
    """With inputs and states of its own."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        super().__init__(ElmoOptions(((1, 16),), projection_dim=16, cell_size=32, num_layers=1))
        self.inputs = torch.randn(7, 16), (torch.randn(3, 16), torch.randn(3, 32))

    def outputs(self) -> torch.Tensor:
        inputs, state = self.inputs
        outputs, (hidden, cell) = self(inputs, [3, 2, 2], state)
        return torch.cat([part.flatten() for part in (outputs, hidden, cell)])


class _Linear(Linear):
    """With inputs of its own."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        super().__init__(16, 32)
        for parameter in self.parameters():
            torch.nn.init.normal_(parameter)
        self.inputs = torch.randn(7, 16)

    def outputs(self) -> torch.Tensor:
        outputs: torch.Tensor = self(self.inputs)
        return outputs


class _CharCnn(CharCnn):
    """With words of its own."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        super().__init__(ElmoOptions(((1, 16), (3, 32)), 16, cell_size=16, num_layers=1))
        self.words = torch.tensor([spell_word(word) for word in WORD_LIST])

    def outputs(self) -> torch.Tensor:
        outputs: torch.Tensor = self(self.words)
        return outputs


def _evaluated(module: Any, capability: str) -> torch.Tensor:
    with use_kernels(capability), torch.no_grad():
        outputs: torch.Tensor = module.outputs()
    return outputs


MODULES: Dict[str, Callable[[], Any]] = {
    "lstm": _Lstm,
    "linear": _Linear,
    "char_cnn": _CharCnn,
}


@pytest.mark.parametrize("change", list(CHANGES))
@pytest.mark.parametrize("name", list(MODULES))
@pytest.mark.parametrize("capability", CAPABILITIES[:1])
def test_a_changed_module_gives_other_outputs(capability: str, name: str, change: str) -> None:
    """The kernels see every change of a weight."""
    module = MODULES[name]()
    before = _evaluated(module, capability)
    CHANGES[change](module)
    after = _evaluated(module, capability)
    assert (after - before).abs().max() > 1e-3
    assert (after - _evaluated(module, "plain")).abs().max() < TOLERANCE


@pytest.mark.parametrize("name", list(MODULES))
@pytest.mark.parametrize("capability", CAPABILITIES)
def test_training_and_evaluation_alternate(capability: str, name: str) -> None:
    """Evaluated between two steps of training, a module is always at its newest weights."""
    module, twin = MODULES[name](), MODULES[name]()
    optimizers = [torch.optim.SGD(each.parameters(), lr=0.05) for each in (module, twin)]
    for _ in range(4):
        expected = _evaluated(twin, "plain")
        assert (_evaluated(module, capability) - expected).abs().max() < TOLERANCE
        for each, optimizer, kernels in zip((module, twin), optimizers, (capability, "plain")):
            optimizer.zero_grad()
            with use_kernels(kernels):
                each.outputs().pow(2).mean().backward()
            optimizer.step()


@pytest.mark.parametrize("name, matrix", [("lstm", "weight_hh"), ("linear", "weight")])
@pytest.mark.parametrize("capability", CAPABILITIES[:1])
def test_training_keeps_no_copies(capability: str, name: str, matrix: str) -> None:
    """What would be old after the next step takes no memory."""
    module = MODULES[name]()
    packed = module.packed_matrix(matrix)
    assert module.packed_matrix(matrix) is packed
    with use_kernels(capability):
        module.outputs().sum().backward()
    assert module.packed_matrix(matrix) is not packed


@pytest.mark.parametrize("name", list(MODULES))
@pytest.mark.parametrize("capability", CAPABILITIES[:1])
def test_a_deep_copy_has_weights_of_its_own(capability: str, name: str) -> None:
    """A copy of a module that was evaluated goes on by itself."""
    module = MODULES[name]()
    before = _evaluated(module, capability)
    other = copy.deepcopy(module)
    _change_in_place(other)
    assert torch.equal(_evaluated(module, capability), before)
    assert (_evaluated(other, capability) - _evaluated(other, "plain")).abs().max() < TOLERANCE


def test_a_buffer_that_is_overwritten_with_itself_has_not_changed() -> None:
    """As distributed training does before each batch; what it holds is what counts."""
    buffer, copies, made = torch.arange(100.0), DerivedCache(), []
    for value in (0.0, 0.0, 1.0):
        buffer.copy_(torch.arange(100.0) + value)
        copies.get("sum", [buffer], lambda: made.append(float(buffer.sum())))
    assert made == [4950.0, 5050.0]
