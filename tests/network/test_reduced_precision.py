"""Modules whose matrices are rounded are saved, loaded and copied like any other."""

import copy
import functools
import inspect
import io
import pickle
from typing import Any, Callable, Dict, Tuple

import pytest
import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin import ElmoBilm, ElmoOptions
from allennlp_elmo_plugin.kernels import available_kernels, tile_matrix, untile_matrix, use_kernels
from allennlp_elmo_plugin.network.kernel_linear import KernelLinear
from allennlp_elmo_plugin.network.projected_lstm import ProjectedLstm
from allennlp_elmo_plugin.network.reduced_precision import ReducedMatrix
from tests.network.layers import all_layers
from tests.support.sentences import spell_words

LOW_PRECISIONS = ["bfloat16", "int8"]
IN_FLOAT32 = ("_char_embedding_weights", "bias")


def _options(**changes: Any) -> ElmoOptions:
    values: Dict[str, Any] = {
        "filters": ((1, 16), (2, 32)),
        "projection_dim": 32,
        "cell_size": 48,
        "num_layers": 2,
        "num_highways": 2,
        "cell_clip": 3.0,
        "proj_clip": 3.0,
    }
    return ElmoOptions(**{**values, **changes})


def _bilm(seed: int = 0, **changes: Any) -> ElmoBilm:
    """Returns a biLM of random weights and biases."""
    torch.manual_seed(seed)
    bilm = ElmoBilm(_options(**changes)).requires_grad_(False)
    for parameter in bilm.parameters():
        parameter.add_(torch.randn_like(parameter) * 0.2)
    return bilm


def _reduced(precision: str, seed: int = 0) -> ElmoBilm:
    bilm = _bilm(seed)
    bilm.reduce_precision(precision)
    return bilm


def _is_matrix(name: str) -> bool:
    return "char_conv" not in name and not name.endswith(IN_FLOAT32)


def _rounded(name: str, weight: torch.Tensor, precision: str) -> torch.Tensor:
    """Rounds a weight of a state dict."""
    if not _is_matrix(name):
        return weight
    return untile_matrix(
        tile_matrix(weight, precision, "input_linearity" in name or "state_linearity" in name)
    )


@pytest.mark.parametrize("precision", LOW_PRECISIONS)
def test_a_state_dict_is_that_of_float32(precision: str) -> None:
    """A state dict has the names, shapes and types of float32, and only matrices are rounded."""
    expected, state = _bilm().state_dict(), _reduced(precision).state_dict()
    assert set(state) == set(expected)
    for name, weight in expected.items():
        assert state[name].dtype == torch.float32, name
        assert torch.equal(state[name], _rounded(name, weight, precision)), name
    assert sum(map(_is_matrix, expected)) == 2 + 1 + 2 * 2 * 3


@pytest.mark.parametrize("precision", LOW_PRECISIONS)
def test_matrices_are_no_parameters(precision: str) -> None:
    """Rounded matrices cannot be trained, so no optimizer gets them."""
    expected = [name for name, _ in _bilm().named_parameters() if not _is_matrix(name)]
    names = [name for name, _ in _reduced(precision).named_parameters()]
    assert sorted(names) == sorted(expected)


@pytest.mark.parametrize("precision, size", [("bfloat16", 2), ("int8", 1)])
def test_matrices_take_less_memory(precision: str, size: int) -> None:
    """A matrix takes half or a quarter of the bytes, and two numbers for each row in int8."""
    module = KernelLinear(1024, 64)
    torch.nn.init.normal_(module.weight)
    module.reduce_precision(precision)
    taken = sum(buffer.numel() * buffer.element_size() for buffer in module.buffers())
    assert taken == 1024 * 64 * size + (64 * 8 if precision == "int8" else 0)


def test_float32_changes_nothing() -> None:
    """Reducing the precision to float32 leaves the biLM as it is."""
    bilm, same = _bilm(), _bilm()
    same.reduce_precision("float32")
    assert list(same.state_dict()) == list(bilm.state_dict())
    assert len(list(same.parameters())) == len(list(bilm.parameters()))
    assert torch.equal(all_layers(same), all_layers(bilm))


@pytest.mark.parametrize("precision", LOW_PRECISIONS)
def test_a_float32_state_is_rounded_as_it_is_loaded(precision: str) -> None:
    """Rounding after loading and loading after rounding give the same layers."""
    bilm = _reduced(precision, seed=1)
    bilm.load_state_dict(_bilm().state_dict())
    assert torch.equal(all_layers(bilm), all_layers(_reduced(precision)))


@pytest.mark.parametrize("precision", LOW_PRECISIONS)
def test_a_rounded_state_fits_float32(precision: str) -> None:
    """A biLM in float32 loads the rounded numbers."""
    bilm, state = _bilm(seed=1), _reduced(precision).state_dict()
    bilm.load_state_dict(state)
    for name, weight in bilm.state_dict().items():
        assert torch.equal(weight, state[name]), name


@pytest.mark.parametrize("precision", LOW_PRECISIONS)
def test_a_rounded_state_fits_its_own_precision(precision: str) -> None:
    """Rounded numbers are not rounded further, but an int8 scale may move by its last bit."""
    bilm = _reduced(precision, seed=1)
    bilm.load_state_dict(_reduced(precision).state_dict())
    expected = all_layers(_reduced(precision))
    if precision == "bfloat16":
        assert torch.equal(all_layers(bilm), expected)
    else:
        # Where that bit flips an activation's rounding, what follows differs by 1 / 127 of it.
        assert (all_layers(bilm) - expected).abs().mean() < 1e-3
    for name, weight in _reduced(precision).state_dict().items():
        assert torch.allclose(bilm.state_dict()[name], weight, rtol=2e-7, atol=0), name


@pytest.mark.parametrize("precision", LOW_PRECISIONS)
def test_a_state_can_be_assigned(precision: str) -> None:
    """Matrices are rounded as well if torch assigns tensors as they are."""
    if "assign" not in inspect.signature(torch.nn.Module.load_state_dict).parameters:
        return
    bilm = _reduced(precision, seed=1)
    functools.partial(bilm.load_state_dict, assign=True)(_bilm().state_dict())
    assert torch.equal(all_layers(bilm), all_layers(_reduced(precision)))


def test_a_state_dict_is_left_as_it_was() -> None:
    """Loading leaves the caller's dictionary as it was."""
    state = _bilm().state_dict()
    names = list(state)
    _reduced("int8", seed=1).load_state_dict(state)
    assert list(state) == names


def _through_torch(module: torch.nn.Module) -> torch.nn.Module:
    saved = io.BytesIO()
    torch.save(module, saved)
    saved.seek(0)
    load = functools.partial(torch.load, saved)
    # Older versions of torch unpickle everything without being asked.
    if "weights_only" in inspect.signature(torch.load).parameters:
        load = functools.partial(load, weights_only=False)
    loaded: torch.nn.Module = load()
    return loaded


@pytest.mark.parametrize("was_run", [False, True])
@pytest.mark.parametrize(
    "through",
    [copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module)), _through_torch],
    ids=["deepcopy", "pickle", "torch.save"],
)
@pytest.mark.parametrize("precision", ["float32", *LOW_PRECISIONS])
def test_copies_have_the_same_outputs(
    precision: str, through: Callable[[ElmoBilm], ElmoBilm], was_run: bool
) -> None:
    """A copy has the same layers to the bit, whether the original was run before or not."""
    bilm = _reduced(precision)
    if was_run:
        all_layers(bilm)
    other = through(bilm)
    assert other.precision == precision
    assert torch.equal(all_layers(other), all_layers(bilm))


LSTM = "_elmo_lstm.backward_layer_1."


@pytest.mark.parametrize(
    "name",
    [
        LSTM + "state_projection.weight",
        "_token_embedder._highways._layers.0.weight",
        LSTM + "state_linearity.bias",
    ],
)
@pytest.mark.parametrize("precision", ["float32", *LOW_PRECISIONS])
def test_a_missing_weight_is_named(precision: str, name: str) -> None:
    """A missing weight is named as torch names it, whether it is a parameter or not."""
    state = _bilm().state_dict()
    del state[name]
    with pytest.raises(RuntimeError, match="Missing key") as error:
        _reduced(precision).load_state_dict(state)
    assert name in str(error.value)
    assert _reduced(precision).load_state_dict(state, strict=False).missing_keys == [name]


@pytest.mark.parametrize(
    "name",
    [
        LSTM + "state_linearity.weight",
        "_token_embedder._projection.weight",
        LSTM + "state_linearity.bias",
    ],
)
@pytest.mark.parametrize("precision", ["float32", *LOW_PRECISIONS])
def test_a_weight_of_another_shape_is_named(precision: str, name: str) -> None:
    """A weight of another shape is named with both shapes."""
    state = _bilm().state_dict()
    shape = tuple(state[name].shape)
    state[name] = torch.cat([state[name], state[name]])
    with pytest.raises(RuntimeError) as error:
        _reduced(precision).load_state_dict(state)
    for part in (name, str(list(shape))[1:-1], str(list(state[name].shape))[1:-1]):
        assert part in str(error.value)


@pytest.mark.parametrize("precision", LOW_PRECISIONS)
def test_an_unexpected_weight_is_named(precision: str) -> None:
    """A weight that no module has is named in the error."""
    state = _bilm().state_dict()
    state[LSTM + "state_linearity.weights"] = torch.zeros(1)
    with pytest.raises(RuntimeError, match="Unexpected key.*state_linearity.weights"):
        _reduced(precision).load_state_dict(state)


@pytest.mark.parametrize(
    "changes",
    [
        {"cell_size": 24},
        {"projection_dim": 24},
        {"filters": ((1, 16), (2, 8))},
        {"cell_size": 20, "projection_dim": 20, "state_projection": False},
    ],
    ids=str,
)
@pytest.mark.parametrize("precision", LOW_PRECISIONS)
def test_sizes_that_cannot_be_tiled_are_refused(precision: str, changes: Dict[str, Any]) -> None:
    """The error names the precision that takes the sizes."""
    with pytest.raises(ConfigurationError, match="multiples of 16.*Use the precision 'float32'"):
        _bilm(**changes).reduce_precision(precision)


@pytest.mark.parametrize("precision", ["float16", "FLOAT32", "", "int4"])
def test_an_unknown_precision_is_refused(precision: str) -> None:
    """The error lists the precisions, and the biLM stays as it was."""
    bilm = _bilm()
    with pytest.raises(ConfigurationError) as error:
        bilm.reduce_precision(precision)
    assert str(["float32", "bfloat16", "int8"]) in str(error.value)
    assert f"got '{precision}'" in str(error.value)
    assert torch.equal(all_layers(bilm), all_layers(_bilm()))


def _lstm_outputs(precision: str, requires_grad: bool, of_inputs: bool) -> torch.Tensor:
    torch.manual_seed(0)
    lstm = ProjectedLstm(_options())
    lstm.reduce_precision(precision)
    lstm.requires_grad_(requires_grad)
    inputs = torch.randn(3, 32, requires_grad=of_inputs)
    outputs, _ = lstm(inputs, torch.tensor([2, 1]), (torch.randn(2, 32), torch.randn(2, 48)))
    assert isinstance(outputs, torch.Tensor)
    return outputs


def _linear_outputs(precision: str, requires_grad: bool, of_inputs: bool) -> torch.Tensor:
    torch.manual_seed(0)
    linear = KernelLinear(32, 48)
    for parameter in linear.parameters():
        torch.nn.init.normal_(parameter)
    linear.reduce_precision(precision)
    linear.requires_grad_(requires_grad)
    outputs = linear(torch.randn(3, 32, requires_grad=of_inputs))
    assert isinstance(outputs, torch.Tensor)
    return outputs


RUNS = [_lstm_outputs, _linear_outputs]
Run = Callable[[str, bool, bool], torch.Tensor]


@pytest.mark.parametrize("wanted", [(True, False), (False, True)], ids=["weights", "inputs"])
@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("precision", LOW_PRECISIONS)
@pytest.mark.parametrize("capability", available_kernels())
def test_gradients_are_refused(capability: str, precision: str, run: Run, wanted: Tuple) -> None:
    """The error says that there are no gradients, with kernels and without."""
    with use_kernels(capability), pytest.raises(ConfigurationError, match="gives no gradients"):
        run(precision, *wanted)


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("precision", LOW_PRECISIONS)
@pytest.mark.parametrize("capability", available_kernels())
def test_outputs_without_gradients_are_allowed(capability: str, precision: str, run: Run) -> None:
    """With everything frozen, or under no_grad, outputs are the same and need no gradient."""
    with use_kernels(capability):
        frozen = run(precision, False, False)
        with torch.no_grad():
            assert torch.equal(run(precision, True, True), frozen)
    assert not frozen.requires_grad


@pytest.mark.parametrize("is_gates", [False, True])
@pytest.mark.parametrize("precision", LOW_PRECISIONS)
def test_a_matrix_holds_its_rounded_numbers(precision: str, is_gates: bool) -> None:
    """A matrix gives the numbers that tiling rounds to, and is close to the original."""
    torch.manual_seed(0)
    matrix = torch.randn(64, 48)
    reduced = ReducedMatrix(matrix, precision, is_gates)
    expected = untile_matrix(tile_matrix(matrix, precision, is_gates))
    assert torch.equal(reduced.to_float32(), expected)
    assert torch.equal(untile_matrix(reduced.tiled()), expected)
    assert 0 < (expected - matrix).abs().max() < 0.03


@pytest.mark.parametrize(
    "shape, is_gates", [((24, 16), False), ((16, 24), False), ((96, 16), True)]
)
@pytest.mark.parametrize("precision", LOW_PRECISIONS)
def test_a_matrix_that_cannot_be_tiled_is_refused(
    precision: str, shape: Tuple[int, int], is_gates: bool
) -> None:
    """The error names the shape of a matrix that the kernels cannot read."""
    with pytest.raises(ConfigurationError, match="multiples of 16.*float32") as error:
        ReducedMatrix(torch.zeros(shape), precision, is_gates)
    assert str(shape) in str(error.value)


@pytest.mark.parametrize("precision", LOW_PRECISIONS)
def test_what_is_read_while_weights_are_loaded_does_not_stay(
    precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread may run a layer between the loading of its weights and of their scales."""
    bilm, loaded = _reduced(precision), _reduced(precision, seed=1)
    character_ids = spell_words(["the", "cat"])
    bilm.char_cnn(character_ids)
    set_attribute = torch.nn.Module.__setattr__

    def set_and_run(module: torch.nn.Module, name: str, value: Any) -> None:
        set_attribute(module, name, value)
        if isinstance(module, ReducedMatrix):
            bilm.char_cnn(character_ids)

    monkeypatch.setattr(torch.nn.Module, "__setattr__", set_and_run)
    bilm.load_state_dict(loaded.state_dict())
    monkeypatch.undo()
    assert torch.equal(bilm.char_cnn(character_ids), loaded.char_cnn(character_ids))
