"""Random LSTM layers, and the comparison of their results, for the tests of all kernels."""

from typing import Callable, Dict, List, NamedTuple, Optional, Tuple

import torch

from allennlp_elmo_plugin import ElmoOptions
from allennlp_elmo_plugin.kernels import use_kernels
from allennlp_elmo_plugin.network.projected_lstm import ProjectedLstm

__all__ = [
    "BATCHES",
    "CLIPS",
    "Case",
    "Runner",
    "SHAPES",
    "assert_close",
    "assert_same",
    "evaluate",
    "layer_options",
    "leaves_of",
    "loss_of",
    "plainly",
    "random_case",
    "random_layer",
    "results_of",
    "train",
]

TOLERANCE = 1e-5

SHAPES = {
    "one panel": (16, 16),
    "panels filled in part": (48, 80),
    "full panels": (64, 128),
    "wide inputs": (528, 16),
    "wide cells": (16, 528),
}
"""Sizes of the projection and the cell. The wide ones take more than one pass over a panel."""

BATCHES = {
    "one row": [1] * 9,
    "one long row": [1] * 130,
    "ragged": [5, 5, 3, 1],
    "every height of a tile": [13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1],
    "more tokens than a chunk": [7] * 20 + [4] * 3,
    "more rows than a chunk": [133, 130, 2],
    "far more rows than a chunk": [259, 1],
}

CLIPS = {
    "no clip": (None, None),
    "cells clipped": (0.5, None),
    "outputs clipped": (None, 0.3),
    "both clipped": (0.5, 0.3),
    "clips that are out of reach": (50.0, 50.0),
}

State = Tuple[torch.Tensor, torch.Tensor]
Runner = Callable[[torch.Tensor, torch.Tensor, State], Tuple[torch.Tensor, State]]


class Case(NamedTuple):
    """A layer with its inputs, batch sizes and initial state."""

    layer: ProjectedLstm
    inputs: torch.Tensor
    batch_sizes: torch.Tensor
    state: State


def layer_options(
    projection_dim: int,
    cell_size: int,
    clips: Tuple[Optional[float], Optional[float]] = (None, None),
    state_projection: bool = True,
) -> ElmoOptions:
    """Returns the options of a biLM of one layer."""
    return ElmoOptions(
        filters=((1, 16),),
        projection_dim=projection_dim,
        cell_size=cell_size,
        num_layers=1,
        cell_clip=clips[0],
        proj_clip=clips[1],
        state_projection=state_projection,
    )


def random_layer(options: ElmoOptions) -> ProjectedLstm:
    """Returns a layer with random weights that keep every gate between linear and saturated."""
    layer = ProjectedLstm(options)
    with torch.no_grad():
        for matrix in layer.parameters():
            matrix.normal_(0.0, 1.5 * (2 * matrix.shape[-1]) ** -0.5 if matrix.dim() > 1 else 0.5)
    return layer


def random_case(
    shape: Tuple[int, int],
    batch_sizes: List[int],
    clips: Tuple[Optional[float], Optional[float]] = (None, None),
    more_rows: int = 0,
    seed: int = 0,
) -> Case:
    """Returns a random case, with `more_rows` rows that have no timestep."""
    torch.manual_seed(seed)
    projection_dim, cell_size = shape
    rows = batch_sizes[0] + more_rows
    return Case(
        random_layer(layer_options(projection_dim, cell_size, clips)),
        torch.randn(sum(batch_sizes), projection_dim),
        torch.tensor(batch_sizes),
        (torch.randn(rows, projection_dim), torch.randn(rows, cell_size)),
    )


def plainly(layer: ProjectedLstm) -> Runner:
    """Returns a function that runs a layer in PyTorch."""

    def run(
        inputs: torch.Tensor, batch_sizes: torch.Tensor, state: State
    ) -> Tuple[torch.Tensor, State]:
        with use_kernels("plain"):
            return layer(inputs, batch_sizes, state)

    return run


def results_of(outputs: torch.Tensor, state: State) -> Dict[str, torch.Tensor]:
    """Returns the results of a layer by name."""
    return {"outputs": outputs, "last hidden": state[0], "last cell": state[1]}


def evaluate(case: Case, run: Runner) -> Dict[str, torch.Tensor]:
    """Returns the results without gradients."""
    with torch.no_grad():
        return results_of(*run(case.inputs, case.batch_sizes, case.state))


def leaves_of(case: Case) -> Dict[str, torch.Tensor]:
    """Returns all tensors that can have a gradient."""
    hidden, cell = case.state
    leaves = {"inputs": case.inputs, "first hidden": hidden, "first cell": cell}
    return {**leaves, **dict(case.layer.named_parameters())}


def loss_of(results: Dict[str, torch.Tensor]) -> torch.Tensor:
    """Returns a sum with a weight of its own for each number of the results."""
    random = torch.Generator().manual_seed(1)
    weights = [torch.randn(part.shape, generator=random) for part in results.values()]
    weighted = [part * weight.to(part.device) for part, weight in zip(results.values(), weights)]
    return torch.stack([part.sum() for part in weighted]).sum()


def train(case: Case, run: Runner) -> Dict[str, torch.Tensor]:
    """Returns the results, and the gradients of all tensors that can have one."""
    leaves = {name: leaf.detach().requires_grad_() for name, leaf in leaves_of(case).items()}
    inputs, hidden, cell = (leaves[name] for name in ("inputs", "first hidden", "first cell"))
    results = results_of(*run(inputs, case.batch_sizes, (hidden, cell)))
    weights = dict(case.layer.named_parameters())
    wanted = {**leaves, **weights}
    gradients = torch.autograd.grad(loss_of(results), list(wanted.values()))
    return {
        **{name: part.detach() for name, part in results.items()},
        **{f"gradient of {name}": part for name, part in zip(wanted, gradients)},
    }


def assert_close(
    left: Dict[str, torch.Tensor], right: Dict[str, torch.Tensor], tolerance: float = TOLERANCE
) -> None:
    """Asserts that results agree, relative to the largest number if it exceeds 1."""
    assert list(left) == list(right)
    for name, expected in right.items():
        assert left[name].shape == expected.shape, name
        assert left[name].dtype == expected.dtype, name
        difference = (left[name] - expected).abs().max().item()
        assert difference <= tolerance * max(1.0, expected.abs().max().item()), name


def assert_same(left: Dict[str, torch.Tensor], right: Dict[str, torch.Tensor]) -> None:
    """Asserts that results are the same to the bit."""
    assert list(left) == list(right)
    for name, expected in right.items():
        assert torch.equal(left[name], expected), name
