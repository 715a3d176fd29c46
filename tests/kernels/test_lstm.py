"""Tests that the LSTM on the compiled kernels agrees with the one in PyTorch."""

from contextlib import contextmanager
from typing import Callable, Dict, Iterator, List
from unittest.mock import patch

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from hypothesis import given, settings
from hypothesis import strategies as st

from allennlp_elmo_plugin.kernels import (
    PRECISIONS,
    Kernels,
    PreparedLstm,
    TiledLstm,
    available_kernels,
    choose_kernels,
    kernel_lstm,
    kernel_lstm_with_gradients,
    tile_matrix,
    tile_vector,
    use_kernels,
)
from allennlp_elmo_plugin.network import projected_lstm
from allennlp_elmo_plugin.network.projected_lstm import ProjectedLstm
from tests.support.kernels import CAPABILITIES
from tests.support.lstm_cases import (
    BATCHES,
    CLIPS,
    SHAPES,
    Case,
    Runner,
    assert_close,
    assert_same,
    evaluate,
    layer_options,
    leaves_of,
    loss_of,
    plainly,
    random_case,
    random_layer,
    results_of,
    train,
)


@contextmanager
def _kernels_only(capability: str) -> Iterator[None]:
    """Runs layers on the kernels of a capability, and on nothing else."""
    instead = patch.object(
        projected_lstm, "run_together", side_effect=AssertionError("ran plainly")
    )
    with use_kernels(capability), instead:
        yield


@pytest.mark.parametrize("batch", list(BATCHES))
@pytest.mark.parametrize("shape", list(SHAPES))
@pytest.mark.parametrize("capability", CAPABILITIES)
def test_outputs_and_gradients_are_those_of_pytorch(
    capability: str, shape: str, batch: str
) -> None:
    """Outputs, last states and all gradients agree for all sizes."""
    case = random_case(SHAPES[shape], BATCHES[batch], more_rows=1)
    with _kernels_only(capability):
        got = train(case, case.layer)
    assert_close(got, train(case, plainly(case.layer)))


@pytest.mark.parametrize("clips", list(CLIPS))
@pytest.mark.parametrize("capability", CAPABILITIES)
def test_clips_agree(capability: str, clips: str) -> None:
    """A clip that binds stops values and gradients where PyTorch's does."""
    case = random_case((48, 80), [5, 5, 3, 1], CLIPS[clips])
    with _kernels_only(capability):
        got = train(case, case.layer)
    assert_close(got, train(case, plainly(case.layer)))


@pytest.mark.parametrize("clips", ["cells clipped", "outputs clipped", "both clipped"])
def test_the_clips_above_bind(clips: str) -> None:
    """The clips of the test above clip many numbers, but not all."""
    case = random_case((48, 80), [5, 5, 3, 1], CLIPS[clips])
    results = evaluate(case, plainly(case.layer))
    for name, limit in zip(("last cell", "outputs"), CLIPS[clips]):
        if limit is not None:
            clipped = (results[name].abs() == limit).float().mean()
            assert 0.1 < clipped < 0.9, name


@pytest.mark.parametrize("capability", CAPABILITIES)
@settings(max_examples=12, deadline=None, derandomize=True, database=None)
@given(
    lengths=st.lists(st.integers(0, 7), min_size=1, max_size=9).filter(any),
    clips=st.sampled_from(list(CLIPS)),
    seed=st.integers(0, 1000),
)
def test_rows_of_any_lengths_agree(
    capability: str, lengths: List[int], clips: str, seed: int
) -> None:
    """Outputs, last states and all gradients agree for rows of any lengths."""
    batch_sizes = [sum(length > timestep for length in lengths) for timestep in range(max(lengths))]
    idle = lengths.count(0)
    case = random_case((32, 48), batch_sizes, CLIPS[clips], more_rows=idle, seed=seed)
    with _kernels_only(capability):
        got = train(case, case.layer)
    assert_close(got, train(case, plainly(case.layer)))


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_rows_without_a_timestep_keep_their_state(capability: str) -> None:
    """The state of a row without a timestep does not change, and neither does its gradient."""
    case = random_case((32, 48), [3, 1], more_rows=2)
    with _kernels_only(capability):
        results = train(case, case.layer)
    random = torch.Generator().manual_seed(1)
    weights = {
        name: torch.randn(results[name].shape, generator=random)
        for name in ("outputs", "last hidden", "last cell")
    }
    for part, state in zip(("hidden", "cell"), case.state):
        assert torch.equal(results[f"last {part}"][3:], state[3:])
        assert torch.equal(results[f"gradient of first {part}"][3:], weights[f"last {part}"][3:])


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_training_and_evaluation_have_the_same_outputs(capability: str) -> None:
    """Saving gates and cells for the gradients changes no bit."""
    case = random_case((48, 80), [7] * 20, CLIPS["both clipped"])
    with _kernels_only(capability):
        trained, evaluated = train(case, case.layer), evaluate(case, case.layer)
    assert_same({name: trained[name] for name in evaluated}, evaluated)


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_a_second_backward_pass_has_the_same_gradients(capability: str) -> None:
    """The first backward pass does not change the saved tensors."""
    case = random_case((48, 80), [5, 5, 3, 1], CLIPS["both clipped"], more_rows=1)
    leaves = [leaf.requires_grad_() for leaf in leaves_of(case).values()]
    with _kernels_only(capability):
        loss = loss_of(results_of(*case.layer(case.inputs, case.batch_sizes, case.state)))
    first = torch.autograd.grad(loss, leaves, retain_graph=True)
    second = torch.autograd.grad(loss, leaves)
    assert all(torch.equal(left, right) for left, right in zip(first, second))


@pytest.mark.parametrize("of", ["outputs", "squares"])
@pytest.mark.parametrize("capability", CAPABILITIES)
def test_gradients_have_no_gradients(capability: str, of: str) -> None:
    """A loss that contains gradients is an error instead of a missing term."""
    case = random_case((16, 16), [2, 1])
    with _kernels_only(capability):
        outputs, _ = case.layer(case.inputs.requires_grad_(), case.batch_sizes, case.state)
    loss = (outputs if of == "outputs" else outputs.pow(2)).sum()
    with pytest.raises(RuntimeError):
        (gradient,) = torch.autograd.grad(loss, case.inputs, create_graph=True)
        (loss + gradient.pow(2).sum()).backward()


@pytest.mark.parametrize("wanted", list(leaves_of(random_case((16, 16), [1]))))
@pytest.mark.parametrize("capability", CAPABILITIES)
def test_only_trained_tensors_get_a_gradient(capability: str, wanted: str) -> None:
    """Each tensor that can have a gradient can be the only one that gets one."""
    case = random_case((16, 32), [3, 2, 2])
    with _kernels_only(capability):
        expected = train(case, case.layer)[f"gradient of {wanted}"]
        leaves = leaves_of(case)
        for name, leaf in leaves.items():
            leaf.requires_grad_(name == wanted)
        loss_of(results_of(*case.layer(case.inputs, case.batch_sizes, case.state))).backward()
    for name, leaf in leaves.items():
        if name == wanted:
            assert leaf.grad is not None and torch.equal(leaf.grad, expected)
        else:
            assert leaf.grad is None, name


@pytest.mark.parametrize("part", ["outputs", "last hidden", "last cell"])
@pytest.mark.parametrize("capability", CAPABILITIES)
def test_a_loss_may_use_one_of_the_results(capability: str, part: str) -> None:
    """Results that the loss does not use add nothing to the gradients."""
    case = random_case((16, 32), [3, 2, 2], more_rows=1)
    leaves = {name: leaf.requires_grad_() for name, leaf in leaves_of(case).items()}
    wanted = list(leaves.values())

    def gradients(run: Runner) -> Dict[str, torch.Tensor]:
        loss = results_of(*run(case.inputs, case.batch_sizes, case.state))[part].sum()
        found = torch.autograd.grad(loss, wanted, allow_unused=True)
        return {
            name: torch.zeros_like(leaf) if gradient is None else gradient
            for (name, leaf), gradient in zip(leaves.items(), found)
        }

    with _kernels_only(capability):
        got = gradients(case.layer)
    assert_close(got, gradients(plainly(case.layer)))


def _scattered(case: Case) -> Case:
    """Returns the same case with other numbers between its own in memory."""

    def scatter(part: torch.Tensor) -> torch.Tensor:
        wider = torch.randn(part.size(1), part.size(0), 2)
        wider[:, :, 1] = part.t()
        scattered = wider[:, :, 1].t()
        assert not scattered.is_contiguous()
        return scattered

    hidden, cell = case.state
    return case._replace(inputs=scatter(case.inputs), state=(scatter(hidden), scatter(cell)))


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_tensors_need_not_be_contiguous(capability: str) -> None:
    """Inputs and states of any strides have the same results in training and evaluation."""
    case = random_case((16, 32), [3, 2, 2], more_rows=1)
    with _kernels_only(capability):
        assert_same(
            evaluate(_scattered(case), case.layer),
            evaluate(case, case.layer),
        )
        assert_close(train(_scattered(case), case.layer), train(case, case.layer))


@pytest.mark.parametrize("run", [evaluate, train])
@pytest.mark.parametrize("capability", CAPABILITIES)
def test_arguments_are_not_changed(
    capability: str, run: Callable[[Case, Runner], Dict[str, torch.Tensor]]
) -> None:
    """Inputs, states and weights are the same after the layer as before."""
    case = random_case((16, 32), [3, 2, 2], CLIPS["both clipped"], more_rows=1)
    before = {name: leaf.detach().clone() for name, leaf in leaves_of(case).items()}
    with _kernels_only(capability):
        run(case, case.layer)
    assert_same({name: leaf.detach() for name, leaf in leaves_of(case).items()}, before)


def _reduced(case: Case, precision: str) -> Case:
    if precision != "float32":
        case.layer.reduce_precision(precision)
    return case


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("capability", CAPABILITIES)
def test_a_row_alone_has_the_outputs_it_has_in_a_batch(capability: str, precision: str) -> None:
    """The rows beside a row change no bit of its results."""
    lengths = [30, 30, 11, 11, 7, 5, 4, 4, 2, 1, 1]
    batch_sizes = [sum(length > timestep for length in lengths) for timestep in range(max(lengths))]
    case = _reduced(random_case((48, 80), batch_sizes, CLIPS["both clipped"]), precision)
    with _kernels_only(capability):
        together = evaluate(case, case.layer)
        for row, length in enumerate(lengths):
            starts = [sum(batch_sizes[:timestep]) for timestep in range(length)]
            tokens = [start + row for start in starts]
            hidden, cell = (part[row : row + 1] for part in case.state)
            alone = evaluate(
                case._replace(
                    inputs=case.inputs[tokens],
                    batch_sizes=torch.ones(length, dtype=torch.long),
                    state=(hidden, cell),
                ),
                case.layer,
            )
            assert torch.equal(alone["outputs"], together["outputs"][tokens]), row
            assert torch.equal(alone["last hidden"], together["last hidden"][row : row + 1]), row
            assert torch.equal(alone["last cell"], together["last cell"][row : row + 1]), row


@pytest.fixture(name="threads")
def _threads() -> Iterator[None]:
    """Restores the number of threads after the test."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("batch", ["one row", "ragged", "more rows than a chunk"])
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("capability", CAPABILITIES)
def test_threads_change_nothing(capability: str, precision: str, batch: str, threads: None) -> None:
    """The number of threads changes no bit, since one thread computes each number."""
    case = _reduced(random_case((80, 112), BATCHES[batch], CLIPS["both clipped"]), precision)
    results = []
    for number in (1, 2, 3):
        torch.set_num_threads(number)
        with _kernels_only(capability):
            results.append(evaluate(case, case.layer))
    assert_same(results[1], results[0])
    assert_same(results[2], results[0])


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_threads_change_no_gradient(capability: str, threads: None) -> None:
    """The number of threads changes no bit of the initial state's gradients."""
    case = random_case((80, 112), [5, 5, 3, 1], CLIPS["both clipped"])
    gradients = []
    for number in (1, 2, 3):
        torch.set_num_threads(number)
        with _kernels_only(capability):
            results = train(case, case.layer)
        names = ("gradient of first hidden", "gradient of first cell")
        gradients.append({name: results[name] for name in names})
    assert_same(gradients[1], gradients[0])
    assert_same(gradients[2], gradients[0])


# If a sum lies halfway between two rounded numbers, the last bit of a float32 decides which one it
# becomes. All later numbers then differ by about the rounding: 2 ** -8 of a number in bfloat16,
# 1 / 127 of the row's largest in int8. So single numbers may differ that much (seen: 0.003 and
# 0.009 with numbers up to about 1), but few do: the mean difference stays below half of the mean
# rounding error (seen: 0.35 of it).
FLIP = {"bfloat16": 0.01, "int8": 0.03}

LOW_PRECISIONS = ["bfloat16", "int8"]
LOW_PRECISION_CASES = {
    "one row": ((48, 80), [1] * 40),
    "ragged": ((64, 128), [5, 5, 3, 1]),
    "every height of a tile": ((48, 80), [7, 6, 5, 4, 3, 2, 1]),
    "more rows than a chunk": ((16, 16), [133, 130, 2]),
    "more than one pass over a panel": ((2064, 16), [5, 5, 3, 1]),
    "wide cells": ((16, 2064), [5, 5, 3, 1]),
}


@pytest.mark.parametrize("clips", ["no clip", "both clipped"])
@pytest.mark.parametrize("name", list(LOW_PRECISION_CASES))
@pytest.mark.parametrize("precision", LOW_PRECISIONS)
@pytest.mark.parametrize("capability", CAPABILITIES)
def test_reduced_precision_rounds_as_pytorch_does(
    capability: str, precision: str, name: str, clips: str
) -> None:
    """Results are those of PyTorch with the same rounding, and as near to those in float32."""
    shape, batch_sizes = LOW_PRECISION_CASES[name]
    case = random_case(shape, batch_sizes, CLIPS[clips], more_rows=1)
    exact = evaluate(case, plainly(case.layer))
    case.layer.reduce_precision(precision)
    with _kernels_only(capability):
        got = evaluate(case, case.layer)
    with use_kernels("plain"):
        plain = evaluate(case, case.layer)
    for part, expected in plain.items():
        difference = (got[part] - expected).abs()
        plain_error, error = (expected - exact[part]).abs(), (got[part] - exact[part]).abs()
        assert difference.max() < FLIP[precision], part
        assert difference.mean() <= 0.5 * plain_error.mean(), part
        assert error.mean() <= 2 * plain_error.mean() and error.max() <= 2 * plain_error.max(), part


@pytest.mark.parametrize("start", ["random", "zero"])
@pytest.mark.parametrize("precision", LOW_PRECISIONS)
@pytest.mark.parametrize("capability", CAPABILITIES)
def test_the_first_cell_is_rounded_alike(capability: str, precision: str, start: str) -> None:
    """Cells after one timestep differ from PyTorch's by no more than the order of addition."""
    case = random_case((64, 128), [7])
    if start == "zero":
        case = case._replace(state=(torch.zeros(7, 64), torch.zeros(7, 128)))
    case.layer.reduce_precision(precision)
    with _kernels_only(capability):
        got = evaluate(case, case.layer)
    with use_kernels("plain"):
        plain = evaluate(case, case.layer)
    assert_close({"": got["last cell"]}, {"": plain["last cell"]})


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("capability", available_kernels())
def test_inputs_of_zeros_give_finite_numbers(capability: str, precision: str) -> None:
    """Rows of zeros, which have no scale in int8, add nothing to the biases."""
    case = _reduced(random_case((16, 32), [3, 2, 2]), precision)
    zeros = case._replace(
        inputs=torch.zeros_like(case.inputs),
        state=(torch.zeros_like(case.state[0]), torch.zeros_like(case.state[1])),
    )
    with use_kernels(capability):
        results = evaluate(zeros, case.layer)
    i, _, g, _ = case.layer.bias.detach().chunk(4)
    first = zeros._replace(inputs=zeros.inputs[:3], batch_sizes=torch.tensor([3]))
    with use_kernels(capability):
        cell = evaluate(first, case.layer)["last cell"]
    assert all(part.isfinite().all() for part in results.values())
    assert torch.allclose(cell, (i.sigmoid() * g.tanh()).expand(3, -1), atol=1e-6)


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_inputs_of_another_dtype_become_float32(capability: str) -> None:
    """Inputs in bfloat16, which autocast may pass, give float32 results."""
    case = random_case((16, 32), [3, 2, 2])
    hidden, cell = case.state
    rounded = case._replace(inputs=case.inputs.bfloat16(), state=(hidden.bfloat16(), cell))
    widened = case._replace(
        inputs=rounded.inputs.float(), state=(rounded.state[0].float(), rounded.state[1])
    )
    with _kernels_only(capability):
        assert_same(evaluate(rounded, case.layer), evaluate(widened, case.layer))


PLAIN_CASES = {
    "float64": (16, 32),
    "cells that are no multiple of 16": (16, 24),
    "outputs that are no multiple of 16": (24, 16),
    "no projection": (16, 16),
}


@pytest.mark.parametrize("name", list(PLAIN_CASES))
@pytest.mark.parametrize("capability", CAPABILITIES)
def test_other_layers_run_in_pytorch(capability: str, name: str) -> None:
    """Layers that no kernel can run have PyTorch's outputs and gradients, to the bit."""
    case = random_case(PLAIN_CASES[name], [3, 2, 2], CLIPS["both clipped"])
    if name == "no projection":
        options = layer_options(*PLAIN_CASES[name], CLIPS["both clipped"], state_projection=False)
        case = case._replace(layer=random_layer(options))
    if name == "float64":
        hidden, cell = case.state
        state = (hidden.double(), cell.double())
        case = Case(case.layer.double(), case.inputs.double(), case.batch_sizes, state)
    with use_kernels(capability):
        assert_same(train(case, case.layer), train(case, plainly(case.layer)))


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_no_tokens_leave_the_state(capability: str) -> None:
    """A batch without tokens gives no outputs, and does not change the state."""
    case = random_case((16, 32), [2])
    with use_kernels(capability):
        outputs, state = case.layer(case.inputs[:0], torch.empty(0, dtype=torch.long), case.state)
    assert outputs.shape == (0, 16)
    assert all(torch.equal(after, before) for after, before in zip(state, case.state))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("capability", CAPABILITIES)
def test_a_trace_is_of_pytorch(capability: str) -> None:
    """A traced layer consists of PyTorch's operations, and runs on other inputs, too."""
    case = random_case((16, 32), [3, 2, 2])
    layer = case.layer.requires_grad_(False)

    def run(inputs: torch.Tensor, hidden: torch.Tensor, cell: torch.Tensor) -> torch.Tensor:
        outputs, _ = layer(inputs, case.batch_sizes, (hidden, cell))
        return outputs

    with use_kernels(capability):
        traced = torch.jit.trace(run, (torch.randn(7, 16), torch.randn(3, 16), torch.randn(3, 32)))
        got = traced(case.inputs, *case.state)
    expected = evaluate(case, plainly(layer))["outputs"]
    assert torch.allclose(got, expected, atol=1e-6)


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_gradients_of_the_outputs_are_not_changed(capability: str) -> None:
    """The kernels add to a copy of the outputs' gradients."""
    case = random_case((16, 32), [3, 2, 2], CLIPS["both clipped"])
    with _kernels_only(capability):
        outputs, _ = case.layer(case.inputs.requires_grad_(), case.batch_sizes, case.state)
        gradient = torch.randn_like(outputs)
        before = gradient.clone()
        torch.autograd.grad(outputs, case.inputs, grad_outputs=gradient)
    assert torch.equal(gradient, before)


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_gates_are_exact_to_rounding(capability: str) -> None:
    """With zeros for weights and state, a cell is sigmoid(i) tanh(g) to float32 rounding."""
    case = random_case((16, 16), [1])
    with torch.no_grad():
        for parameter in case.layer.parameters():
            parameter.zero_()
        case.layer.bias.copy_(torch.linspace(-9, 9, 64).view(16, 4).t().reshape(-1))
    with _kernels_only(capability), torch.no_grad():
        zeros = (torch.zeros(1, 16), torch.zeros(1, 16))
        _, (_, cell) = case.layer(case.inputs.detach(), case.batch_sizes, zeros)
    i, _, g, _ = case.layer.bias.detach().double().chunk(4)
    assert (cell[0].double() - torch.sigmoid(i) * torch.tanh(g)).abs().max() < 2e-7


def _chosen(capability: str) -> Kernels:
    with use_kernels(capability):
        kernels = choose_kernels()
    assert kernels is not None
    return kernels


def _tiled(layer: ProjectedLstm, precision: str = "float32") -> TiledLstm:
    return TiledLstm(
        tile_matrix(layer.weight_ih, precision, is_gates=True),
        tile_matrix(layer.weight_hh, precision, is_gates=True),
        tile_matrix(layer.weight_hr, precision),
        tile_vector(layer.bias, is_gates=True),
    )


def _surrounded(part: torch.Tensor) -> torch.Tensor:
    """Returns a stack of `part` between two matrices of the same shape that are full of 7."""
    return torch.stack([torch.full_like(part, 7.0), part, torch.full_like(part, 7.0)])


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("capability", CAPABILITIES)
def test_a_prepared_layer_writes_into_the_given_memory(capability: str, precision: str) -> None:
    """A prepared layer writes outputs and last state into the given tensors, and nowhere else."""
    case = random_case((48, 80), [5, 5, 3, 1], CLIPS["both clipped"], more_rows=1)
    kernels, weights = _chosen(capability), _tiled(case.layer, precision)
    inputs, batch_sizes = case.inputs, case.batch_sizes
    expected, last = kernel_lstm(
        kernels, inputs, batch_sizes, case.state, weights, *CLIPS["both clipped"]
    )
    parts = [torch.zeros_like(expected), *case.state]
    outputs, hidden, cell = given = [_surrounded(part) for part in parts]
    layer = PreparedLstm(
        *(kernels, inputs, batch_sizes, (hidden[1], cell[1]), weights),
        *(CLIPS["both clipped"], outputs[1]),
    )
    assert all(torch.equal(memory[1], part) for memory, part in zip(given, parts))
    layer.run()
    for memory, result in zip(given, (expected, *last)):
        assert torch.equal(memory[1], result)
        assert (memory[::2] == 7.0).all()


@pytest.mark.parametrize(
    "outputs",
    [torch.empty(14, 64), torch.empty(13, 48), torch.empty(48, 14).t(), torch.empty(14, 48).int()],
    ids=["wider", "shorter", "transposed", "integers"],
)
def test_unsuitable_memory_for_the_outputs_is_refused(outputs: torch.Tensor) -> None:
    """Memory of another shape, layout or dtype than the outputs is an error."""
    case = random_case((48, 80), [5, 5, 3, 1])
    with pytest.raises(ConfigurationError, match=r"'outputs' of shape \(14, 48\)"):
        PreparedLstm(
            *(_chosen(CAPABILITIES[0]), case.inputs, case.batch_sizes, case.state),
            *(_tiled(case.layer), (None, None), outputs),
        )


WRONG_BATCH_SIZES = {
    "too many rows": [6, 5, 3],
    "too few tokens": [5, 5, 3],
    "too many tokens": [5, 5, 3, 2],
    "growing": [5, 4, 5],
    "negative": [5, 5, 5, -1],
    "none": [],
}


@pytest.mark.parametrize("trains", [False, True])
@pytest.mark.parametrize("name", list(WRONG_BATCH_SIZES))
@pytest.mark.parametrize("capability", CAPABILITIES)
def test_wrong_batch_sizes_are_refused(capability: str, name: str, trains: bool) -> None:
    """Batch sizes that do not fit the rows and tokens are an error that lists them."""
    case = random_case((48, 80), [5, 5, 3, 1])
    batch_sizes = torch.tensor(WRONG_BATCH_SIZES[name], dtype=torch.long)
    with pytest.raises(ConfigurationError, match="14, the number of tokens") as error:
        if trains:
            layer = case.layer
            weights = (layer.weight_ih, layer.weight_hh, layer.weight_hr, layer.bias)
            kernel_lstm_with_gradients(
                _chosen(capability), case.inputs, batch_sizes, case.state, weights, None, None
            )
        else:
            kernel_lstm(
                _chosen(capability),
                case.inputs,
                batch_sizes,
                case.state,
                _tiled(case.layer),
                None,
                None,
            )
    assert str(WRONG_BATCH_SIZES[name]) in str(error.value)


def _changed(case: Case, name: str) -> Case:
    hidden, cell = case.state
    changed = {
        "wider inputs": case._replace(inputs=torch.randn(14, 64)),
        "inputs in double precision": case._replace(inputs=case.inputs.double()),
        "a wider cell": case._replace(state=(hidden, torch.randn(5, 96))),
        "fewer cells": case._replace(state=(hidden, cell[:4])),
        "a wider hidden state": case._replace(state=(torch.randn(5, 64), cell)),
        "batch sizes in int32": case._replace(batch_sizes=case.batch_sizes.int()),
    }
    return changed[name]


@pytest.mark.parametrize(
    "name",
    [
        "wider inputs",
        "inputs in double precision",
        "a wider cell",
        "fewer cells",
        "a wider hidden state",
        "batch sizes in int32",
    ],
)
def test_shapes_and_dtypes_that_do_not_fit_are_refused(name: str) -> None:
    """The error gives the expected and the given shapes and dtypes."""
    case = _changed(random_case((48, 80), [5, 5, 3, 1]), name)
    with pytest.raises(ConfigurationError, match=r"shape \(tokens, 48\).*shapes.*\(rows, 80\)"):
        kernel_lstm(
            _chosen(CAPABILITIES[0]),
            case.inputs,
            case.batch_sizes,
            case.state,
            _tiled(case.layer),
            None,
            None,
        )
