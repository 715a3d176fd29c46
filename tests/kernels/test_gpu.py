"""
The LSTM for GPUs agrees with the one in PyTorch.

Without a GPU, Triton interprets the kernels on the CPU, as one program.
"""

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from typing import Any, Dict, Iterator, Tuple
from unittest.mock import patch

import pytest
import torch

from allennlp_elmo_plugin.kernels import GpuWeights, gpu_kernels_fit, gpu_lstm
from allennlp_elmo_plugin.network import plain_lstm, projected_lstm
from tests.support.lstm_cases import (
    BATCHES,
    CLIPS,
    Case,
    assert_close,
    assert_same,
    evaluate,
    leaves_of,
    loss_of,
    plainly,
    random_case,
    results_of,
    train,
)
from tests.support.paths import REPOSITORY
from tests.support.specials import (
    RESULTS,
    SPOILED,
    assert_same_specials,
    spoiled_case,
    train_with_specials,
)

HAS_GPU = torch.cuda.is_available()
pytest.importorskip("triton", reason="Triton is not installed")

needs_gpu = pytest.mark.skipif(not HAS_GPU, reason="there is no GPU here")

SHARED_MEMORY = {89: 99 * 1024, 90: 227 * 1024, 120: 99 * 1024}
"""Bytes that a program can have, by compute capability. No GPU from 8.0 on has less than 8.9."""

SHAPES = {
    "one tile": (16, 16),
    "several tiles": (48, 80),
    "tiles of 64 cells": (64, 128),
}
FEW = ["one row", "ragged", "every height of a tile", "more rows than a chunk"]


@contextmanager
def _gpu_only() -> Iterator[None]:
    """Runs layers on the kernels for GPUs, and on nothing else."""
    plainly_instead = AssertionError("ran plainly")
    with patch.object(projected_lstm, "_run_plainly", side_effect=plainly_instead):
        if HAS_GPU:
            yield
            return
        fit = patch.object(projected_lstm, "gpu_kernels_fit", return_value=True)
        with fit, patch.object(projected_lstm, "kernels_for", return_value=None):
            yield


def _case(*arguments: Any, **options: Any) -> Case:
    """Returns a random case on the GPU, or on the CPU if there is none."""
    return _on_device(random_case(*arguments, **options))


def _on_device(case: Case) -> Case:
    device = torch.device("cuda" if HAS_GPU else "cpu")
    hidden, cell = case.state
    return case._replace(
        layer=case.layer.to(device),
        inputs=case.inputs.to(device),
        state=(hidden.to(device), cell.to(device)),
    )


@pytest.mark.parametrize("batch", FEW)
@pytest.mark.parametrize("shape", list(SHAPES))
def test_outputs_and_gradients_are_those_of_pytorch(shape: str, batch: str) -> None:
    """Outputs, last states and all gradients agree for all sizes."""
    case = _case(SHAPES[shape], BATCHES[batch], more_rows=1)
    with _gpu_only():
        got = train(case, case.layer)
    assert_close(got, train(case, plainly(case.layer)))


@pytest.mark.parametrize("clips", list(CLIPS))
def test_clips_agree(clips: str) -> None:
    """A clip that binds stops values and gradients where PyTorch's does."""
    case = _case((48, 80), [5, 5, 3, 1], CLIPS[clips])
    with _gpu_only():
        got = train(case, case.layer)
    assert_close(got, train(case, plainly(case.layer)))


@pytest.mark.parametrize("clips", ["no clip", "both clipped"])
def test_nan_stays_in_its_row(clips: str) -> None:
    """A row with NaN has NaN, as in PyTorch, and the other rows have none."""
    case = _case((16, 32), [3, 3], CLIPS[clips])
    case.inputs[1] = float("nan")
    with _gpu_only():
        got = evaluate(case, case.layer)
    for name, expected in evaluate(case, plainly(case.layer)).items():
        assert torch.equal(got[name].isnan(), expected.isnan()), name
        assert expected.isnan().any() and not expected.isnan().all(), name


@pytest.mark.parametrize("clips", ["no clip", "both clipped"])
@pytest.mark.parametrize("spoiled", SPOILED + RESULTS, ids=" ".join)
def test_nan_and_infinity_are_where_pytorch_has_them(spoiled: Tuple[str, str], clips: str) -> None:
    """Specials in any tensor and any gradient reach the same outputs, states and gradients."""
    case = _on_device(spoiled_case(*spoiled, clips, seed=0, shape=(16, 16)))
    with _gpu_only():
        got = train_with_specials(case, case.layer, spoiled, seed=0)
    expected = train_with_specials(case, plainly(case.layer), spoiled, seed=0)
    assert_same_specials(got, expected, 1e-5)


def test_rows_without_a_timestep_keep_their_state() -> None:
    """The state of a row without a timestep does not change, to the bit."""
    case = _case((32, 48), [3, 1], more_rows=2)
    with _gpu_only():
        results = evaluate(case, case.layer)
    for part, state in zip(("hidden", "cell"), case.state):
        assert torch.equal(results[f"last {part}"][3:], state[3:])


def test_training_and_evaluation_have_the_same_outputs() -> None:
    """Saving gates and cells for the gradients changes no bit."""
    case = _case((48, 80), [7] * 6, CLIPS["both clipped"])
    with _gpu_only():
        trained, evaluated = train(case, case.layer), evaluate(case, case.layer)
    assert_same({name: trained[name] for name in evaluated}, evaluated)


def test_a_second_run_has_the_same_bits() -> None:
    """Programs run in any order, and each number is computed by one of them."""
    case = _case((48, 80), [20, 20, 3], CLIPS["both clipped"])
    with _gpu_only():
        first, second = (train(case, case.layer) for _ in range(2))
    assert_same(first, second)


def test_a_second_backward_pass_has_the_same_gradients() -> None:
    """The first backward pass does not change the saved tensors."""
    case = _case((48, 80), [5, 5, 3, 1], CLIPS["both clipped"], more_rows=1)
    leaves = [leaf.requires_grad_() for leaf in leaves_of(case).values()]
    with _gpu_only():
        loss = loss_of(results_of(*case.layer(case.inputs, case.batch_sizes, case.state)))
    first = torch.autograd.grad(loss, leaves, retain_graph=True)
    second = torch.autograd.grad(loss, leaves)
    assert all(torch.equal(left, right) for left, right in zip(first, second))


def test_gradients_have_no_gradients() -> None:
    """A loss that contains gradients is an error instead of a missing term."""
    case = _case((16, 16), [2, 1])
    with _gpu_only():
        outputs, _ = case.layer(case.inputs.requires_grad_(), case.batch_sizes, case.state)
    with pytest.raises(RuntimeError, match="create_graph"):
        torch.autograd.grad(outputs.sum(), case.inputs, create_graph=True)


@pytest.mark.parametrize("wanted", list(leaves_of(random_case((16, 16), [1]))))
def test_only_trained_tensors_get_a_gradient(wanted: str) -> None:
    """Each tensor that can have a gradient can be the only one that gets one."""
    case = _case((16, 32), [3, 2, 2])
    with _gpu_only():
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


@pytest.mark.parametrize("run", [evaluate, train])
def test_arguments_are_not_changed(run: Any) -> None:
    """Inputs, states and weights are the same after the layer as before, in any strides."""
    case = _case((16, 32), [3, 2, 2], CLIPS["both clipped"], more_rows=1)
    hidden, cell = (part.t().contiguous().t() for part in case.state)
    case = case._replace(state=(hidden, cell))
    before = {name: leaf.detach().clone() for name, leaf in leaves_of(case).items()}
    with _gpu_only():
        run(case, case.layer)
    assert_same({name: leaf.detach() for name, leaf in leaves_of(case).items()}, before)


@needs_gpu
def test_bfloat16_rounds_as_pytorch_does() -> None:
    """Results are those of PyTorch with the same rounding, and as near to those in float32."""
    case = _case((64, 128), [5, 5, 3, 1], CLIPS["both clipped"], more_rows=1)
    exact = evaluate(case, plainly(case.layer))
    case.layer.reduce_precision("bfloat16")
    with _gpu_only():
        got = evaluate(case, case.layer)
    _assert_rounded_alike(got, evaluate(case, plainly(case.layer)), exact)


def test_float16_matrices_round_the_vectors() -> None:
    """With matrices in float16, vectors are rounded to it before each product, and not else."""
    case = _case((64, 128), [5, 5, 3, 1], CLIPS["both clipped"], more_rows=1)
    exact = evaluate(case, plainly(case.layer))
    layer = case.layer
    matrices = [(each.half(),) for each in (layer.weight_ih, layer.weight_hh, layer.weight_hr)]
    weights = GpuWeights(*matrices, bias=(layer.bias,))
    with torch.no_grad():
        for matrix in (layer.weight_ih, layer.weight_hh, layer.weight_hr):
            matrix.copy_(matrix.half())

    def run(*arguments: Any) -> Any:
        inputs, batch_sizes, (hidden, cell) = arguments
        state = (hidden.unsqueeze(0), cell.unsqueeze(0))
        clips = (layer.cell_clip, layer.proj_clip)
        outputs, state = gpu_lstm(inputs.unsqueeze(0), batch_sizes, state, weights, *clips)
        return outputs[0], (state[0][0], state[1][0])

    def rounded(vectors: torch.Tensor, _: str) -> torch.Tensor:
        return vectors.half().float()

    with patch.object(plain_lstm, "round_activations", rounded):
        expected = evaluate(case, plainly(layer))
    _assert_rounded_alike(evaluate(case, run), expected, exact)


def _assert_rounded_alike(
    got: Dict[str, torch.Tensor], expected: Dict[str, torch.Tensor], exact: Dict[str, torch.Tensor]
) -> None:
    """Asserts that results differ by less than the rounding, which is no larger than expected."""
    for name, plain in expected.items():
        plain_error, error = (plain - exact[name]).abs(), (got[name] - exact[name]).abs()
        assert (got[name] - plain).abs().mean() <= 0.5 * plain_error.mean(), name
        assert error.mean() <= 2 * plain_error.mean() and error.max() <= 2 * plain_error.max(), name


def test_int8_runs_in_pytorch() -> None:
    """The kernels multiply no int8, so PyTorch does."""
    case = _case((16, 32), [3, 2, 2])
    case.layer.reduce_precision("int8")
    fit = patch.object(projected_lstm, "gpu_kernels_fit", return_value=True)
    with fit, patch.object(projected_lstm, "kernels_for", return_value=None):
        got = evaluate(case, case.layer)
    assert_same(got, evaluate(case, plainly(case.layer)))


@needs_gpu
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_autocast_trains_in_its_dtype(dtype: torch.dtype) -> None:
    """Under autocast results and gradients are near to those in float32, but not the same."""
    case = _case((64, 128), [5, 5, 3, 1], more_rows=1)
    with _gpu_only():
        exact = train(case, case.layer)
        with torch.autocast("cuda", dtype):
            got = train(case, case.layer)
    for name, expected in exact.items():
        assert got[name].dtype == expected.dtype, name
        assert not torch.equal(got[name], expected), name
        assert (got[name] - expected).norm() < 0.05 * expected.norm(), name


@pytest.mark.parametrize("capability", list(SHARED_MEMORY))
def test_the_kernels_compile_and_fit(capability: int) -> None:
    """For a published shape both kernels compile, without a GPU, and fit its shared memory."""
    environment = {name: text for name, text in os.environ.items() if name != "TRITON_INTERPRET"}
    script = REPOSITORY / "tests" / "support" / "compile_for_gpu.py"
    command = [sys.executable, str(script), str(capability)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    used = json.loads(done.stdout)
    assert set(used) == {
        f"{kernel} {dtype}"
        for kernel in ("run_forward", "run_backward")
        for dtype in ("fp32", "bf16")
    }
    assert 0 < max(used.values()) <= SHARED_MEMORY[capability]


def test_weights_on_the_cpu_have_no_kernels_for_gpus() -> None:
    """Weights on the CPU never run on the kernels for GPUs."""
    case = random_case((16, 16), [1])
    assert not gpu_kernels_fit(case.layer.bias, case.inputs, 16, 16)
