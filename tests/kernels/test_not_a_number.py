"""
Tests that the kernels have NaN and infinity exactly where PyTorch has them.

NaN has a random sign and payload, and may be a signalling one.
"""

from typing import Dict, Tuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from allennlp_elmo_plugin.kernels import (
    PRECISIONS,
    CharacterProducts,
    Kernels,
    choose_kernels,
    kernel_convolutions,
    kernel_linear,
    round_activations,
    tile_matrix,
    tile_vector,
    untile_matrix,
    use_kernels,
)
from tests.support.kernels import CAPABILITIES
from tests.support.lstm_cases import (
    CLIPS,
    Case,
    evaluate,
    plainly,
    random_case,
)
from tests.support.specials import (
    KINDS,
    RESULTS,
    SPOILED,
    assert_same_specials,
    spoil,
    spoiled_case,
    train_with_specials,
)

# A last bit can decide to which of two values an activation is rounded.
TOLERANCES = {"float32": 1e-5, "bfloat16": 0.02, "int8": 0.05}
SEEDS = st.integers(0, 10_000)
PROPERTY = settings(max_examples=15, deadline=None, derandomize=True, database=None)


def _kernels(capability: str) -> Kernels:
    with use_kernels(capability):
        kernels = choose_kernels()
    assert kernels is not None
    return kernels


def _evaluate_both(
    case: Case, capability: str, precision: str
) -> Tuple[Dict[str, torch.Tensor], Dict[str, torch.Tensor]]:
    """Returns the results on the kernels and in PyTorch, in a precision."""
    if precision != "float32":
        case.layer.reduce_precision(precision)
    with use_kernels(capability):
        return evaluate(case, case.layer), evaluate(case, plainly(case.layer))


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("capability", CAPABILITIES)
@PROPERTY
@given(spoiled=st.sampled_from(SPOILED), clips=st.sampled_from(list(CLIPS)), seed=SEEDS)
def test_an_lstm_has_them_where_pytorch_has(
    capability: str, precision: str, spoiled: Tuple[str, str], clips: str, seed: int
) -> None:
    """Specials in inputs, states, weights and biases spread as in PyTorch, in any precision."""
    case = spoiled_case(*spoiled, clips, seed)
    got, expected = _evaluate_both(case, capability, precision)
    assert_same_specials(got, expected, TOLERANCES[precision])


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("capability", CAPABILITIES)
@PROPERTY
@given(clips=st.sampled_from(list(CLIPS)), seed=SEEDS)
def test_an_infinite_projection_gives_nan_where_pytorch_does(
    capability: str, precision: str, clips: str, seed: int
) -> None:
    """NaN from an infinite projection weight is NaN, and everything is equal up to the first."""
    # The kernels' hyperbolic tangent of a cell below 3e-8 is 0, and infinity times it is NaN.
    case = spoiled_case("state_projection.weight", "infinity", clips, seed)
    got, expected = _evaluate_both(case, capability, precision)
    for name, part in got.items():
        assert (part.isnan() | ~expected[name].isnan()).all(), name
    first = {"outputs": slice(0, int(case.batch_sizes[0]))}
    assert_same_specials(
        {name: got[name][rows] for name, rows in first.items()},
        {name: expected[name][rows] for name, rows in first.items()},
        TOLERANCES[precision],
    )


@pytest.mark.parametrize("gate", ["input", "forget", "cell", "output"])
@pytest.mark.parametrize("size", [50.0, 88.5, 89.0, 1000.0, torch.inf])
@pytest.mark.parametrize("capability", CAPABILITIES)
def test_a_closed_gate_times_infinity_is_what_it_is_in_pytorch(
    capability: str, size: float, gate: str
) -> None:
    """A gate is exactly 0 where PyTorch's is, so infinity times it is NaN there as well."""
    case = random_case((32, 48), [3, 2])
    case.state[1][0] = torch.inf
    at = ["input", "forget", "cell", "output"].index(gate) * 48
    with torch.no_grad():
        case.layer.bias[at : at + 24] = -size
        case.layer.bias[at + 24 : at + 48] = size
        case.layer.weight_ih[at : at + 48] = case.layer.weight_hh[at : at + 48] = 0.0
    got, expected = _evaluate_both(case, capability, "float32")
    assert_same_specials(got, expected, 1e-5)


@pytest.mark.parametrize("capability", CAPABILITIES)
@PROPERTY
@given(spoiled=st.sampled_from(SPOILED + RESULTS), clips=st.sampled_from(list(CLIPS)), seed=SEEDS)
def test_gradients_of_an_lstm_have_them_where_pytorchs_have(
    capability: str, spoiled: Tuple[str, str], clips: str, seed: int
) -> None:
    """Specials in any tensor, and in the gradients of the results, reach the same gradients."""
    case = spoiled_case(*spoiled, clips, seed)
    with use_kernels(capability):
        got = train_with_specials(case, case.layer, spoiled, seed)
    assert_same_specials(got, train_with_specials(case, plainly(case.layer), spoiled, seed), 1e-5)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("capability", CAPABILITIES)
@PROPERTY
@given(name=st.sampled_from(["inputs", "weight", "bias"]), kind=st.sampled_from(KINDS), seed=SEEDS)
def test_a_product_has_them_where_pytorch_has(
    capability: str, precision: str, name: str, kind: str, seed: int
) -> None:
    """Specials in inputs, weights and biases of a linear layer reach the same outputs."""
    torch.manual_seed(seed)
    parts = {
        "inputs": torch.randn(7, 80),
        "weight": torch.randn(48, 80) / 80**0.5,
        "bias": torch.randn(48),
    }
    parts[name] = spoil(parts[name], kind, seed)
    matrix = tile_matrix(parts["weight"], precision)
    rounded = round_activations(parts["inputs"], precision)
    expected = torch.nn.functional.linear(rounded, untile_matrix(matrix), parts["bias"])
    got = kernel_linear(_kernels(capability), parts["inputs"], matrix, tile_vector(parts["bias"]))
    assert_same_specials({"outputs": got}, {"outputs": expected}, TOLERANCES[precision])


@pytest.mark.parametrize("capability", CAPABILITIES)
@PROPERTY
@given(
    name=st.sampled_from(["products", "bias", "gradient"]), kind=st.sampled_from(KINDS), seed=SEEDS
)
def test_convolutions_have_them_where_pytorch_has(
    capability: str, name: str, kind: str, seed: int
) -> None:
    """Specials in filters and gradients reach the same maxima and the same gradients."""
    torch.manual_seed(seed)
    words = torch.randint(0, 9, (6, 12))
    words[:3, 4:] = 9
    parts = {
        "products": torch.randn(3, 10, 80),
        "bias": torch.randn(80),
        "gradient": torch.randn(6, 80),
    }
    parts[name] = spoil(parts[name], kind, seed)
    kernels = _kernels(capability)

    def plain_convolutions(filters: CharacterProducts) -> torch.Tensor:
        columns = [filters.products[j][words[:, j : j + 10]] for j in range(3)]
        return (sum(columns) + filters.bias).max(dim=1).values

    def kernel(filters: CharacterProducts) -> torch.Tensor:
        return kernel_convolutions(kernels, words, [filters], 9)

    results = []
    for run in (kernel, plain_convolutions):
        filters = CharacterProducts(
            *(parts[part].clone().requires_grad_() for part in ("products", "bias"))
        )
        outputs = run(filters)
        gradients = torch.autograd.grad(outputs, filters, parts["gradient"])
        named = zip(("outputs", "of products", "of biases"), (outputs.detach(), *gradients))
        results.append(dict(named))
    assert_same_specials(*results, 1e-5)
