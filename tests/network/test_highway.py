"""A highway layer, against its formula."""

import pytest
import torch

from allennlp_elmo_plugin.kernels import available_kernels, use_kernels
from allennlp_elmo_plugin.network.highway import Highway


@pytest.mark.parametrize("size", [5, 32])
@pytest.mark.parametrize("kernels", available_kernels())
def test_outputs_are_those_of_the_formula(kernels: str, size: int) -> None:
    """The gate weighs the input, and its complement the transform."""
    torch.manual_seed(0)
    highway, vectors = Highway(size), torch.randn(7, size)
    with torch.no_grad():
        highway.bias.normal_()
    weight, bias = highway.weight.double(), highway.bias.double()
    transform = (vectors.double() @ weight[:size].t() + bias[:size]).clamp(min=0)
    gate = torch.sigmoid(vectors.double() @ weight[size:].t() + bias[size:])
    expected = gate * vectors + (1 - gate) * transform
    with use_kernels(kernels):
        trained = highway(vectors)
        with torch.no_grad():
            frozen = highway(vectors)
    for outputs in (trained, frozen):
        assert (outputs - expected).abs().max() < 1e-5


def test_a_new_layer_lets_most_of_its_input_through() -> None:
    """The gate starts near 0.88, the sigmoid of 2, as in bilm-tf."""
    torch.manual_seed(0)
    highway = Highway(64)
    assert highway.bias.tolist() == [0.0] * 64 + [2.0] * 64
    assert highway.weight.std().item() == pytest.approx(1 / 8, rel=0.05)
