"""Values that are derived from parameters follow every change of the parameters."""

import copy
import pickle
from typing import Any, Callable, Dict, List

import pytest
import torch

from allennlp_elmo_plugin import ElmoOptions
from allennlp_elmo_plugin.kernels import use_kernels
from allennlp_elmo_plugin.network.char_cnn import CharCnn
from allennlp_elmo_plugin.network.derived_cache import DerivedCache
from allennlp_elmo_plugin.network.kernel_linear import KernelLinear
from allennlp_elmo_plugin.network.projected_lstm import ProjectedLstm
from tests.support.kernels import CAPABILITIES
from tests.support.sentences import spell_words
from tests.support.threads import in_threads
from tests.support.words import WORD_LIST

TOLERANCE = 1e-5


class _Holder(torch.nn.Module):
    """A module with one large parameter and one small one."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.matrix = torch.nn.Parameter(torch.randn(40, 50))
        self.vector = torch.nn.Parameter(torch.randn(3))
        self.derived = DerivedCache()
        self.computed = 0

    def sums(self) -> List[float]:
        """Derives the sums of both parameters, and counts how often they are computed."""

        def compute() -> List[float]:
            self.computed += 1
            return [self.matrix.sum().item(), self.vector.sum().item()]

        return self.derived.get("sums", [self.matrix, self.vector], compute)


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


def test_a_value_is_computed_once_while_its_parameters_stay() -> None:
    """As long as the parameters stay as they are, the value is cached."""
    holder = _Holder()
    first = holder.sums()
    with torch.no_grad():
        holder.matrix.sum()
    holder.requires_grad_(False).eval()
    assert holder.sums() is first and holder.computed == 1


@pytest.mark.parametrize("change", list(CHANGES))
def test_a_change_computes_the_value_again(change: str) -> None:
    """Any kind of change of the parameters computes the value again, and only once."""
    holder = _Holder()
    before = holder.sums()
    CHANGES[change](holder)
    after = [holder.sums() for _ in range(3)]
    assert after == [[holder.matrix.sum().item(), holder.vector.sum().item()]] * 3
    assert after[0] != before and holder.computed == 2


@pytest.mark.parametrize("name", ["matrix", "vector"])
def test_a_change_of_one_parameter_is_enough(name: str) -> None:
    """A value of several parameters follows each of them."""
    holder = _Holder()
    holder.sums()
    with torch.no_grad():
        getattr(holder, name)[1] += 1.0
    holder.sums()
    assert holder.computed == 2


def test_a_value_is_found_as_long_as_it_is_current() -> None:
    """`find` returns a value, and `None` where it was never computed or a parameter has changed."""
    holder = _Holder()
    parameters = [holder.matrix, holder.vector]
    assert holder.derived.find("sums", parameters) is None
    assert holder.sums() is holder.derived.find("sums", parameters)
    _change_in_place(holder)
    assert holder.derived.find("sums", parameters) is None and holder.computed == 1


def test_values_are_cached_by_name() -> None:
    """Two values of the same parameters are both cached."""
    holder = _Holder()
    first = holder.sums()
    other = holder.derived.get("other", [holder.matrix, holder.vector], lambda: "other")
    assert other == "other" and holder.sums() is first and holder.computed == 1
    assert holder.derived.values() == [first, other]


def test_clear_removes_every_value() -> None:
    """After `clear` the cache is empty, and the next value is computed."""
    holder = _Holder()
    holder.sums()
    holder.derived.clear()
    assert holder.derived.values() == []
    holder.sums()
    assert holder.computed == 2


@pytest.mark.parametrize(
    "through",
    [copy.copy, copy.deepcopy, lambda derived: pickle.loads(pickle.dumps(derived))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_copies_are_empty(through: Callable[[DerivedCache], DerivedCache]) -> None:
    """A pickle or a deep copy of a cache is empty, whatever the cache holds, and works."""
    derived = DerivedCache()
    parameter = torch.nn.Parameter(torch.randn(3))
    derived.get("name", [parameter], lambda: (part for part in "cannot be pickled"))
    copied = through(derived)
    assert copied.values() == []
    assert copied.get("name", [parameter], lambda: "new") == "new"


def test_a_parameter_need_not_be_contiguous() -> None:
    """A change is noticed in a parameter whose data was replaced by a transposed matrix."""
    holder = _Holder()
    holder.matrix.data = torch.randn(50, 40).t()
    before = holder.sums()
    holder.matrix.data.mul_(0.5)
    assert holder.sums() != before


def test_parameters_may_be_made_in_inference_mode() -> None:
    """A change is noticed in a parameter of inference mode, which has no version counter."""
    with torch.inference_mode():
        holder = _Holder()
        before = holder.sums()
        assert holder.sums() is before
        holder.matrix.mul_(0.5)
        assert holder.sums() != before


class _Lstm(ProjectedLstm):
    """A layer with inputs and states of its own."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        super().__init__(ElmoOptions(((1, 16),), projection_dim=16, cell_size=32, num_layers=1))
        self.inputs = torch.randn(7, 16), (torch.randn(3, 16), torch.randn(3, 32))

    def outputs(self) -> torch.Tensor:
        inputs, state = self.inputs
        outputs, (hidden, cell) = self(inputs, torch.tensor([3, 2, 2]), state)
        return torch.cat([part.flatten() for part in (outputs, hidden, cell)])


class _Linear(KernelLinear):
    """A linear layer with inputs of its own."""

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
    """A character CNN with words of its own."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        super().__init__(ElmoOptions(((1, 16), (3, 32)), 16, cell_size=16, num_layers=1))
        self.words = spell_words(WORD_LIST)

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
    """The kernels follow any kind of change of the weights."""
    module = MODULES[name]()
    before = _evaluated(module, capability)
    CHANGES[change](module)
    after = _evaluated(module, capability)
    assert (after - before).abs().max() > 1e-3
    assert (after - _evaluated(module, "plain")).abs().max() < TOLERANCE


@pytest.mark.parametrize("name", list(MODULES))
@pytest.mark.parametrize("capability", CAPABILITIES)
def test_training_and_evaluation_alternate(capability: str, name: str) -> None:
    """A module that is evaluated between two training steps has its newest weights."""
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


def _derived_values(module: torch.nn.Module) -> List[Any]:
    """Returns the derived values of a module and of those in it."""
    caches = [each.derived for each in module.modules() if hasattr(each, "derived")]
    return [value for cache in caches for value in cache.values()]


@pytest.mark.parametrize("name, number", [("lstm", 1), ("linear", 1), ("char_cnn", 3)])
@pytest.mark.parametrize("capability", CAPABILITIES[:1])
def test_evaluation_derives_each_value_once(capability: str, name: str, number: int) -> None:
    """Tiled matrices and biases and the character products are the same for each evaluation."""
    module = MODULES[name]()
    _evaluated(module, capability)
    first = _derived_values(module)
    assert len(first) == number
    _evaluated(module, capability)
    assert all(left is right for left, right in zip(_derived_values(module), first))


@pytest.mark.parametrize("name", list(MODULES))
@pytest.mark.parametrize("capability", CAPABILITIES[:1])
def test_training_caches_nothing(capability: str, name: str) -> None:
    """Values that would be old after the next training step take no memory."""
    module = MODULES[name]()
    _evaluated(module, capability)
    with use_kernels(capability):
        module.outputs().sum().backward()
    assert _derived_values(module) == []


@pytest.mark.parametrize("name", list(MODULES))
@pytest.mark.parametrize("capability", CAPABILITIES[:1])
def test_a_deep_copy_has_weights_of_its_own(capability: str, name: str) -> None:
    """A change of a copy leaves the module as it was, and the copy follows it."""
    module = MODULES[name]()
    before = _evaluated(module, capability)
    other = copy.deepcopy(module)
    _change_in_place(other)
    assert torch.equal(_evaluated(module, capability), before)
    assert (_evaluated(other, capability) - _evaluated(other, "plain")).abs().max() < TOLERANCE


def test_a_buffer_that_is_overwritten_with_itself_has_not_changed() -> None:
    """Buffers are compared by their numbers, since distributed training overwrites them."""
    buffer, derived, computed = torch.arange(100.0), DerivedCache(), []
    for value in (0.0, 0.0, 1.0):
        buffer.copy_(torch.arange(100.0) + value)
        derived.get("sum", [buffer], lambda: computed.append(float(buffer.sum())))
    assert computed == [4950.0, 5050.0]


def test_a_value_is_computed_once_for_all_threads() -> None:
    """Threads that need a value at the same time get one object."""
    for _ in range(20):
        holder = _Holder()
        first, *others = in_threads(lambda _, holder=holder: holder.sums())
        assert all(other is first for other in others)
        assert holder.computed == 1


def test_a_value_of_parameters_that_changed_meanwhile_is_not_kept() -> None:
    """If another thread changes a parameter during a computation, the next reading computes."""
    derived, parameter = DerivedCache(), torch.nn.Parameter(torch.ones(3))

    def sum_before_a_change() -> float:
        found = parameter.sum().item()
        with torch.no_grad():
            parameter.mul_(2)
        return found

    assert derived.get("sum", [parameter], sum_before_a_change) == 3.0
    assert derived.get("sum", [parameter], lambda: parameter.sum().item()) == 6.0


def test_values_may_be_read_and_removed_by_threads() -> None:
    """A thread that lists the values does not fail when others add and remove some."""
    derived, parameter = DerivedCache(), torch.nn.Parameter(torch.ones(3))

    def use(thread: int) -> None:
        for number in range(100):
            assert derived.get(f"{thread} {number}", [parameter], lambda: 1) == 1
            assert set(derived.values()) <= {1}
            if number % 20 == thread:
                derived.clear()

    in_threads(use)
