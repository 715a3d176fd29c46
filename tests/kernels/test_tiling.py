"""Tests of tiled matrices and vectors, and of rounded activations."""

from typing import Tuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from allennlp_elmo_plugin.kernels import (
    PRECISIONS,
    can_tile,
    round_activations,
    tile_matrix,
    tile_vector,
    untile_matrix,
)

PROPERTY = settings(max_examples=20, deadline=None, derandomize=True, database=None)
LOW_PRECISIONS = ["bfloat16", "int8"]
UNITS = {"float32": 1, "bfloat16": 2, "int8": 4}

MULTIPLES = st.integers(1, 12).map(lambda groups: 16 * groups)


def _matrix(rows: int, columns: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


@PROPERTY
@given(rows=MULTIPLES, columns=MULTIPLES, is_gates=st.booleans())
def test_float32_comes_back_to_the_bit(rows: int, columns: int, is_gates: bool) -> None:
    """A tiled float32 matrix of any size that can be tiled comes back to the bit."""
    matrix = _matrix(4 * rows if is_gates else rows, columns)
    tiled = tile_matrix(matrix, is_gates=is_gates)
    assert torch.equal(untile_matrix(tiled), matrix)
    assert tiled.weight.is_contiguous()


@PROPERTY
@given(rows=MULTIPLES, columns=MULTIPLES, is_gates=st.booleans())
def test_bfloat16_is_rounded_as_in_pytorch(rows: int, columns: int, is_gates: bool) -> None:
    """Each bfloat16 weight is rounded as PyTorch rounds it."""
    matrix = _matrix(4 * rows if is_gates else rows, columns)
    untiled = untile_matrix(tile_matrix(matrix, "bfloat16", is_gates))
    assert torch.equal(untiled, matrix.bfloat16().float())


@PROPERTY
@given(rows=MULTIPLES, columns=MULTIPLES, is_gates=st.booleans())
def test_int8_is_the_nearest_value(rows: int, columns: int, is_gates: bool) -> None:
    """Each int8 weight is the nearest multiple of its row's scale, and the largest one is exact."""
    matrix = _matrix(4 * rows if is_gates else rows, columns)
    matrix *= 10.0 ** torch.arange(len(matrix)).remainder(7).sub(3).unsqueeze(1)
    untiled = untile_matrix(tile_matrix(matrix, "int8", is_gates))
    largest = matrix.abs().amax(dim=1, keepdim=True)
    assert ((untiled - matrix).abs() <= largest / 127 * 0.50001).all()
    assert torch.allclose(untiled.abs().amax(dim=1, keepdim=True), largest, rtol=1e-6, atol=0)


@PROPERTY
@given(
    rows=MULTIPLES,
    columns=MULTIPLES,
    is_gates=st.booleans(),
    precision=st.sampled_from(PRECISIONS),
    seed=st.integers(0, 1000),
)
def test_tiling_again_changes_no_weight(
    rows: int, columns: int, is_gates: bool, precision: str, seed: int
) -> None:
    """Rounded weights are not rounded further, and a scale changes by its last bit at most."""
    matrix = _matrix(4 * rows if is_gates else rows, columns, seed)
    tiled = tile_matrix(matrix, precision, is_gates)
    again = tile_matrix(untile_matrix(tiled), precision, is_gates)
    assert torch.equal(again.weight, tiled.weight)
    assert torch.equal(again.offset, tiled.offset)
    assert torch.allclose(again.scale, tiled.scale, rtol=1.3e-7, atol=0)
    assert again[3:] == tiled[3:]


@pytest.mark.parametrize("is_gates", [False, True])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_order_is_the_documented_one(precision: str, is_gates: bool) -> None:
    """Weights are in the order [panel][column / unit][64][unit], and filled up with zeros."""
    rows, columns, unit = 192 if is_gates else 80, 32, UNITS[precision]
    matrix = torch.arange(rows * columns).remainder(101).sub(50).view(rows, columns).float()
    # So that int8 has a scale of 1 and keeps every number.
    matrix[:, 0] = 127.0
    tiled = tile_matrix(matrix, precision, is_gates)
    panels = 3 if is_gates else 2
    assert tiled.weight.shape == (panels, columns // unit, 64, unit)
    weight = tiled.weight.view(torch.bfloat16) if precision == "bfloat16" else tiled.weight
    for panel in range(panels):
        for lane in range(64):
            gate, cell = lane // 16, 16 * panel + lane % 16
            row = gate * rows // 4 + cell if is_gates else 64 * panel + lane
            expected = matrix[row] if row < rows else torch.zeros(columns)
            got = weight[panel, :, lane].reshape(-1).float()
            assert torch.equal(got, expected), (panel, lane)
            if precision == "int8":
                assert tiled.offset[64 * panel + lane] == 128 * expected.sum()
                assert tiled.scale[64 * panel + lane] == (1.0 if row < rows else 0.0)


@pytest.mark.parametrize(
    "precision, dtype, num_scales",
    [
        ("float32", torch.float32, 0),
        ("bfloat16", torch.int16, 0),
        ("int8", torch.int8, 128),
    ],
)
def test_dtypes_and_empty_tensors(precision: str, dtype: torch.dtype, num_scales: int) -> None:
    """Each precision has its dtype, and only int8 has scales and offsets."""
    tiled = tile_matrix(_matrix(80, 16), precision)
    assert (tiled.weight.dtype, tiled.scale.numel()) == (dtype, num_scales)
    assert tiled.scale.dtype == torch.float32 and tiled.offset.dtype == torch.int32
    assert tiled.offset.shape == tiled.scale.shape
    assert (tiled.rows, tiled.is_gates, tiled.precision) == (80, False, precision)


@pytest.mark.parametrize("is_gates", [False, True])
def test_a_vector_has_the_order_of_its_matrix(is_gates: bool) -> None:
    """A tiled vector has one number for each row of a tiled matrix, in the same order."""
    vector = torch.arange(1.0, 129.0)
    tiled = tile_vector(vector, is_gates)
    matrix = tile_matrix(vector.unsqueeze(1).expand(-1, 16), is_gates=is_gates)
    assert torch.equal(tiled, matrix.weight[:, 0].flatten())


def test_a_vector_is_filled_up() -> None:
    """A vector is filled up to whole panels with zeros."""
    tiled = tile_vector(torch.ones(80))
    assert tiled.tolist() == [1.0] * 80 + [0.0] * 48


@pytest.mark.parametrize("is_gates", [False, True])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_any_strides_are_tiled_alike(precision: str, is_gates: bool) -> None:
    """A transposed matrix is tiled by its strides, without a gradient, and is not changed."""
    matrix = _matrix(48, 64).t().requires_grad_()
    before = matrix.detach().clone()
    tiled = tile_matrix(matrix, precision, is_gates)
    same = tile_matrix(before.contiguous(), precision, is_gates)
    assert torch.equal(tiled.weight, same.weight) and not tiled.weight.requires_grad
    assert torch.equal(tiled.scale, same.scale) and not tiled.scale.requires_grad
    assert torch.equal(matrix.detach(), before)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("value", [0.0, 1e-44, 1e-40, 1e-37, 1e37])
def test_rows_of_zeros_and_of_extremes_are_tiled(value: float, precision: str) -> None:
    """Tiny and huge weights change by their rounding only, and none becomes infinite or NaN."""
    matrix = _matrix(64, 32)
    matrix[3] = value
    matrix[4, :] = 0.0
    matrix[4, 5] = -value
    untiled = untile_matrix(tile_matrix(matrix, precision))
    assert torch.allclose(untiled[3:5], matrix[3:5], rtol=2**-8, atol=1e-36)
    assert torch.allclose(untiled, matrix, rtol=2**-8, atol=0.02 if precision == "int8" else 1e-36)


@pytest.mark.parametrize(
    "sizes, expected",
    [
        ((16,), True),
        ((64, 80, 4096), True),
        ((8,), False),
        ((16, 24), False),
        ((17, 16), False),
    ],
)
def test_multiples_of_16_can_be_tiled(sizes: Tuple[int, ...], expected: bool) -> None:
    """All sizes have to be multiples of 16."""
    assert can_tile(*sizes) is expected


def test_activations_stay_in_float32() -> None:
    """Activations are not rounded in float32."""
    activations = _matrix(5, 32)
    assert torch.equal(round_activations(activations, "float32"), activations)


def test_activations_become_bfloat16() -> None:
    """Activations are rounded to bfloat16 as in PyTorch."""
    activations = _matrix(5, 32)
    expected = activations.bfloat16().float()
    assert torch.equal(round_activations(activations, "bfloat16"), expected)


def test_activations_become_int8() -> None:
    """Each row of activations is rounded to 127ths of its largest number."""
    activations = _matrix(5, 32) * torch.tensor([[1e-3], [1.0], [1e3], [1e20], [1e-20]])
    rounded = round_activations(activations, "int8")
    largest = activations.abs().amax(dim=1, keepdim=True)
    steps = rounded / largest * 127
    assert ((steps - steps.round()).abs() < 1e-4).all()
    assert ((rounded - activations).abs() <= largest / 127 * 0.50001).all()


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("value", [0.0, 1e-44, 1e-40, 1e-37, 1e37])
def test_activations_of_zeros_and_of_extremes_are_rounded(value: float, precision: str) -> None:
    """Tiny and huge activations change by their rounding only, and none becomes infinite or NaN."""
    activations = _matrix(3, 32)
    activations[0] = value
    activations[1, :] = 0.0
    activations[1, 5] = -value
    rounded = round_activations(activations, precision)
    assert torch.allclose(rounded[:2], activations[:2], rtol=2**-8, atol=1e-36)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_activations_of_any_shape_are_rounded_row_by_row(precision: str) -> None:
    """Leading dimensions of activations are more rows."""
    activations = _matrix(6, 32)
    rounded = round_activations(activations.view(2, 3, 32), precision)
    assert torch.equal(rounded.view(6, 32), round_activations(activations, precision))


@pytest.mark.parametrize("precision", LOW_PRECISIONS)
def test_rounding_twice_is_rounding_once(precision: str) -> None:
    """Rounded activations change by no more than the last bit of their scale."""
    once = round_activations(_matrix(5, 32), precision)
    assert torch.allclose(round_activations(once, precision), once, rtol=1e-6, atol=0)
