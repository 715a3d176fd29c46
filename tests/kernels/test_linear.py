"""Tests that products on the compiled kernels agree with those of PyTorch."""

from typing import Iterator, Tuple

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from torch.nn.functional import linear

from allennlp_elmo_plugin.kernels import (
    PRECISIONS,
    Kernels,
    TiledMatrix,
    available_kernels,
    choose_kernels,
    kernel_linear,
    round_activations,
    tile_matrix,
    tile_vector,
    untile_matrix,
    use_kernels,
)
from allennlp_elmo_plugin.network.kernel_linear import KernelLinear
from tests.support.kernels import CAPABILITIES

SIZES = [(16, 16), (48, 80), (80, 48), (64, 128), (112, 64), (2064, 16)]
"""Numbers of inputs and outputs. The widest takes several passes over a panel in any precision."""

UNITS = {"float32": 1, "bfloat16": 2, "int8": 4}
"""Columns in a unit of 4 bytes, by precision."""

NUMBERS_OF_ROWS = [1, 2, 3, 4, 5, 6, 7, 13, 128, 129, 300]


@pytest.fixture(name="kernels", params=CAPABILITIES)
def _kernels(request: pytest.FixtureRequest) -> Kernels:
    with use_kernels(request.param):
        kernels = choose_kernels()
    assert kernels is not None and kernels.capability == request.param
    return kernels


def _tiled(num_inputs: int, num_outputs: int, precision: str) -> Tuple[TiledMatrix, torch.Tensor]:
    """Returns a random matrix and its bias, which is not tiled."""
    torch.manual_seed(0)
    weight = torch.randn(num_outputs, num_inputs) / num_inputs**0.5
    return tile_matrix(weight, precision), torch.randn(num_outputs)


def _inputs(rows: int, columns: int) -> torch.Tensor:
    """
    Returns random numbers that round to int8 in one way only.

    None lies halfway between two int8 values of its row, where the last bit of a float32 decides.
    """
    steps = torch.randint(-126, 127, (rows, columns)) + (torch.rand(rows, columns) - 0.5) * 0.9
    steps[:, columns // 2] = 127.0
    return steps / 60 * (0.5 + torch.rand(rows, 1))


def _expected(inputs: torch.Tensor, matrix: TiledMatrix, bias: torch.Tensor) -> torch.Tensor:
    """Returns the product of the rounded numbers in float64."""
    rounded = round_activations(inputs, matrix.precision)
    return linear(rounded.double(), untile_matrix(matrix).double(), bias.double()).float()


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("precision", PRECISIONS)
def test_products_are_those_of_pytorch(
    kernels: Kernels, precision: str, sizes: Tuple[int, int]
) -> None:
    """Products of any number of rows agree, and inputs are rounded as in PyTorch."""
    matrix, bias = _tiled(*sizes, precision)
    for rows in NUMBERS_OF_ROWS:
        inputs = _inputs(rows, sizes[0])
        got = kernel_linear(kernels, inputs, matrix, tile_vector(bias))
        assert got.shape == (rows, sizes[1]) and got.is_contiguous()
        assert torch.allclose(got, _expected(inputs, matrix, bias), rtol=0, atol=1e-5), rows


@pytest.mark.parametrize("precision", PRECISIONS)
def test_no_rows_give_no_rows(kernels: Kernels, precision: str) -> None:
    """No rows give an output with no rows."""
    matrix, bias = _tiled(16, 48, precision)
    got = kernel_linear(kernels, torch.zeros(0, 16), matrix, tile_vector(bias))
    assert got.shape == (0, 48)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_rows_of_zeros_give_the_bias(kernels: Kernels, precision: str) -> None:
    """A row of zeros gives the bias to the bit, and the rows beside it keep their int8 scales."""
    matrix, bias = _tiled(48, 80, precision)
    inputs = _inputs(7, 48)
    inputs[::2] = 0.0
    got = kernel_linear(kernels, inputs, matrix, tile_vector(bias))
    assert torch.equal(got[::2], bias.expand(4, -1))
    assert torch.allclose(got[1::2], _expected(inputs[1::2], matrix, bias), rtol=0, atol=1e-5)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_matrix_rows_of_zeros_give_the_bias(kernels: Kernels, precision: str) -> None:
    """A matrix row of zeros gives the bias to the bit, also with an int8 scale of 0."""
    torch.manual_seed(0)
    weight, bias = torch.randn(80, 48), torch.randn(80)
    weight[::2] = 0.0
    matrix = tile_matrix(weight, precision)
    inputs = _inputs(7, 48)
    got = kernel_linear(kernels, inputs, matrix, tile_vector(bias))
    assert torch.equal(got[:, ::2], bias[::2].expand(7, -1))
    assert torch.allclose(got, _expected(inputs, matrix, bias), rtol=0, atol=1e-5)


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_largest_sums_do_not_overflow(kernels: Kernels, precision: str, sign: float) -> None:
    """The sum of the largest possible products is exact."""
    inputs = torch.ones(5, 2064)
    inputs[1] = -1.0
    matrix = tile_matrix(torch.full((16, 2064), sign), precision)
    got = kernel_linear(kernels, inputs, matrix, torch.zeros(64))
    expected = torch.full((5, 16), sign * 2064)
    expected[1] *= -1.0
    assert torch.allclose(got, expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("size", [1e-20, 1e20])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_size_of_numbers_does_not_matter(kernels: Kernels, precision: str, size: float) -> None:
    """Rounding is relative: scaled inputs give scaled outputs."""
    matrix, _ = _tiled(48, 80, precision)
    inputs = _inputs(7, 48) * size
    got = kernel_linear(kernels, inputs, matrix, torch.zeros(128))
    expected = _expected(inputs, matrix, torch.zeros(80))
    assert torch.allclose(got / size, expected / size, rtol=0, atol=1e-5)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_one_large_number_costs_only_its_row(kernels: Kernels, precision: str) -> None:
    """An outlier changes the int8 scale of its own row and of no other."""
    matrix, bias = _tiled(48, 80, precision)
    inputs = _inputs(7, 48)
    inputs[2, 5] = 1e4
    got = kernel_linear(kernels, inputs, matrix, tile_vector(bias))
    expected = _expected(inputs, matrix, bias)
    for row, (left, right) in enumerate(zip(got, expected)):
        assert torch.allclose(left, right, rtol=1e-6, atol=1e-2 if row == 2 else 1e-5), row


@pytest.mark.parametrize("precision", PRECISIONS)
def test_nan_is_not_hidden(kernels: Kernels, precision: str) -> None:
    """NaN reaches all outputs of its row, as in PyTorch, and no other row."""
    matrix, bias = _tiled(48, 80, precision)
    inputs = _inputs(7, 48)
    inputs[2, 5] = float("nan")
    got = kernel_linear(kernels, inputs, matrix, tile_vector(bias))
    assert got[2].isnan().all()
    assert not got[:2].isnan().any() and not got[3:].isnan().any()


@pytest.mark.parametrize("precision", PRECISIONS)
def test_inputs_need_not_be_contiguous(kernels: Kernels, precision: str) -> None:
    """Inputs of any strides give the same products, and are not changed."""
    matrix, bias = _tiled(48, 80, precision)
    inputs = _inputs(7, 48).t().contiguous().t()
    before = inputs.clone()
    got = kernel_linear(kernels, inputs, matrix, tile_vector(bias))
    assert torch.equal(got, kernel_linear(kernels, before.contiguous(), matrix, tile_vector(bias)))
    assert torch.equal(inputs, before)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_row_alone_has_the_outputs_it_has_among_others(kernels: Kernels, precision: str) -> None:
    """The rows beside a row change no bit of its outputs."""
    for sizes in ((48, 80), (2064, 16)):
        matrix, bias = _tiled(*sizes, precision)
        inputs = _inputs(13, sizes[0])
        together = kernel_linear(kernels, inputs, matrix, tile_vector(bias))
        for row in range(13):
            alone = kernel_linear(kernels, inputs[row : row + 1], matrix, tile_vector(bias))
            assert torch.equal(alone[0], together[row]), row


# The kernels go through a panel 512 units at a time, and cut these into pieces of 64 units if there
# are several blocks of rows.
@pytest.mark.parametrize("num_units", [16, 64, 80, 512, 528, 1104])
@pytest.mark.parametrize("precision, unit", list(UNITS.items()))
def test_sums_over_any_depth_are_those_of_a_single_row(
    kernels: Kernels, precision: str, unit: int, num_units: int
) -> None:
    """Outputs of 1 to 13 rows are those of each row alone to the bit, over any number of pieces."""
    matrix, bias = _tiled(num_units * unit, 80, precision)
    bias = tile_vector(bias)
    inputs = _inputs(13, num_units * unit)
    alone = torch.cat([kernel_linear(kernels, row, matrix, bias) for row in inputs.split(1)])
    for rows in range(1, 14):
        assert torch.equal(kernel_linear(kernels, inputs[:rows], matrix, bias), alone[:rows]), rows


@pytest.fixture(name="threads")
def _threads() -> Iterator[None]:
    """Restores the number of threads after the test."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_threads_change_nothing(kernels: Kernels, precision: str, threads: None) -> None:
    """The number of threads changes no bit, since one thread computes each number."""
    matrix, bias = _tiled(48, 208, precision)
    inputs = _inputs(300, 48)
    results = []
    for number in (1, 2, 3):
        torch.set_num_threads(number)
        results.append(kernel_linear(kernels, inputs, matrix, tile_vector(bias)))
    assert torch.equal(results[1], results[0]) and torch.equal(results[2], results[0])


def _linear(num_inputs: int, num_outputs: int) -> KernelLinear:
    torch.manual_seed(0)
    module = KernelLinear(num_inputs, num_outputs)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_()
    return module


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("capability", available_kernels())
def test_the_module_has_the_same_products(capability: str, precision: str) -> None:
    """The module has the same products with kernels and without, in each precision."""
    module = _linear(48, 80)
    matrix, bias = tile_matrix(module.weight, precision), module.bias.detach()
    if precision != "float32":
        module.reduce_precision(precision)
    inputs = _inputs(7, 48)
    with use_kernels(capability), torch.no_grad():
        assert torch.allclose(module(inputs), _expected(inputs, matrix, bias), rtol=0, atol=1e-4)


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_the_module_trains_in_pytorch(capability: str) -> None:
    """Outputs that need gradients are PyTorch's to the bit, and so are their gradients."""
    module = _linear(48, 80)
    inputs = torch.randn(7, 48, requires_grad=True)
    with use_kernels(capability):
        outputs = module(inputs)
    expected = linear(inputs, module.weight, module.bias)
    leaves = [inputs, module.weight, module.bias]
    gradients = torch.autograd.grad(outputs.pow(2).sum(), leaves)
    assert torch.equal(outputs, expected)
    for got, gradient in zip(gradients, torch.autograd.grad(expected.pow(2).sum(), leaves)):
        assert torch.equal(got, gradient)


@pytest.mark.parametrize("sizes", [(48, 24), (24, 48)], ids=str)
@pytest.mark.parametrize("capability", CAPABILITIES)
def test_other_sizes_run_in_pytorch(capability: str, sizes: Tuple[int, int]) -> None:
    """Sizes that are no multiple of 16 have PyTorch's product, to the bit."""
    module = _linear(*sizes)
    inputs = _inputs(7, sizes[0])
    with use_kernels(capability), torch.no_grad():
        assert torch.equal(module(inputs), linear(inputs, module.weight, module.bias))


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_float64_runs_in_pytorch(capability: str) -> None:
    """A float64 module has PyTorch's product, to the bit."""
    module = _linear(48, 80).double()
    inputs = _inputs(7, 48).double()
    with use_kernels(capability), torch.no_grad():
        assert torch.equal(module(inputs), linear(inputs, module.weight, module.bias))


@pytest.mark.parametrize("capability", available_kernels())
def test_inputs_of_a_wrong_size_are_refused(capability: str) -> None:
    """Inputs that do not fit the matrix are an error with kernels and without."""
    with use_kernels(capability), torch.no_grad(), pytest.raises(ConfigurationError):
        _linear(48, 80)(torch.randn(7, 64))
