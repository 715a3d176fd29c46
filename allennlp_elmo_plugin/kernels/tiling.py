"""
Matrices in the order in which the kernels read them, in full or reduced precision.

A packed matrix is cut into panels of 64 rows. Within a panel the weights stand column by column:
[panel][column / unit][64][unit], where a unit is the columns that fill 4 bytes (1 of float32, 2 of
bfloat16, 4 of int8). The rows of a panel are consecutive; of a matrix that gives the four gates of
an LSTM they are 16 of each gate, so that a panel gives all that 16 cells need.
"""

from typing import NamedTuple

import torch

__all__ = [
    "PRECISIONS",
    "TiledMatrix",
    "can_tile",
    "tile_matrix",
    "tile_vector",
    "round_activations",
    "untile_matrix",
]

PRECISIONS = ("float32", "bfloat16", "int8")
UNITS = {"float32": 1, "bfloat16": 2, "int8": 4}
GROUP = 16
PANEL = 4 * GROUP
LARGEST = 127
# Rows whose largest number is smaller than this become 0.
TINY = 1e-30


class TiledMatrix(NamedTuple):
    """
    A matrix in panels.

    # Parameters

    weight : `torch.Tensor`
        Shape (panels, columns / unit, 64, unit): float32; int16 (the bits of bfloat16); or int8.
    scale : `torch.Tensor`
        Shape (panels * 64,), float32: what an int8 weight of each row is to be multiplied by.
        Empty in other precisions.
    offset : `torch.Tensor`
        Shape (panels * 64,), int32: 128 times the sum of the int8 weights of each row, which the
        kernels subtract, since they keep activations as unsigned numbers with 128 added. Empty in
        other precisions.
    rows : `int`
        The number of rows, without those that fill the last panel.
    is_gates : `bool`
        Whether the rows are the four gates of an LSTM.
    precision : `str`
        One of `PRECISIONS`.
    """

    weight: torch.Tensor
    scale: torch.Tensor
    offset: torch.Tensor
    rows: int
    is_gates: bool
    precision: str


def tile_matrix(
    matrix: torch.Tensor, precision: str = "float32", is_gates: bool = False
) -> TiledMatrix:
    """
    # Parameters

    matrix : `torch.Tensor`
        Shape (rows, columns), float32, with columns (and rows, for gates) in multiples of 16.
    precision : `str`, optional (default = `"float32"`)
        One of `PRECISIONS`. In int8, each row has a scale of its own: its largest weight is 127.
    is_gates : `bool`, optional (default = `False`)
        Whether the rows are the four gates of an LSTM.

    # Returns

    `TiledMatrix`
    """
    matrix = matrix.detach()
    scale = offset = matrix.new_empty(0)
    if precision == "bfloat16":
        matrix = matrix.to(torch.bfloat16).view(torch.int16)
    elif precision == "int8":
        largest = matrix.abs().amax(dim=1)
        steps = LARGEST / largest.clamp(min=TINY)
        matrix = (matrix * steps.unsqueeze(1)).round_().to(torch.int8)
        scale = tile_vector(largest / LARGEST, is_gates)
        offset = tile_vector(matrix.sum(dim=1, dtype=torch.int32) * 128, is_gates)
    return TiledMatrix(
        weight=_to_panels(matrix, UNITS[precision], is_gates),
        scale=scale,
        offset=offset.to(torch.int32),
        rows=len(matrix),
        is_gates=is_gates,
        precision=precision,
    )


def untile_matrix(packed: TiledMatrix) -> torch.Tensor:
    """
    # Parameters

    packed : `TiledMatrix`
        A matrix in panels.

    # Returns

    `torch.Tensor`
        Shape (rows, columns), float32: the numbers that its weights stand for.
    """
    num_panels, units, _, unit = packed.weight.shape
    panels = packed.weight.transpose(1, 2).reshape(num_panels, PANEL, units * unit)
    if packed.precision == "bfloat16":
        panels = panels.view(torch.bfloat16)
    panels = panels.to(torch.float32)
    if packed.precision == "int8":
        panels = panels * packed.scale.view(num_panels, PANEL, 1)
    if packed.is_gates:
        panels = panels.view(num_panels, 4, GROUP, -1).transpose(0, 1)
    return panels.reshape(num_panels * PANEL, -1)[: packed.rows].contiguous()


def tile_vector(vector: torch.Tensor, is_gates: bool = False) -> torch.Tensor:
    """
    # Parameters

    vector : `torch.Tensor`
        Shape (rows,): a number for each row of a matrix.
    is_gates : `bool`, optional (default = `False`)
        Whether the rows are the four gates of an LSTM.

    # Returns

    `torch.Tensor`
        Shape (panels * 64,): the same numbers in the order of the panels.
    """
    return _to_panels(vector.detach().unsqueeze(1), 1, is_gates).flatten()


def round_activations(activations: torch.Tensor, precision: str) -> torch.Tensor:
    """
    What the kernels make of activations before they multiply them with weights of a precision.

    # Parameters

    activations : `torch.Tensor`
        Shape (rows, columns), float32.
    precision : `str`
        One of `PRECISIONS`. In int8, each row is scaled so that its largest number is 127.

    # Returns

    `torch.Tensor`
        Shape (rows, columns), float32.
    """
    if precision == "bfloat16":
        return activations.to(torch.bfloat16).to(torch.float32)
    if precision == "int8":
        largest = activations.abs().amax(dim=-1, keepdim=True).clamp(min=TINY)
        return (activations * (LARGEST / largest)).round() * (largest / LARGEST)
    return activations


def can_tile(*sizes: int) -> bool:
    """Whether the kernels take matrices and vectors of these sizes."""
    return all(size % GROUP == 0 for size in sizes)


def _to_panels(matrix: torch.Tensor, unit: int, is_gates: bool) -> torch.Tensor:
    rows, columns = matrix.shape
    # Views up to the last line, so that the numbers are moved once.
    if is_gates:
        panels = matrix.view(4, -1, GROUP, columns).transpose(0, 1)
    else:
        if rows % PANEL:
            matrix = torch.cat([matrix, matrix.new_zeros(-rows % PANEL, columns)])
        panels = matrix.view(-1, 4, GROUP, columns)
    panels = panels.view(len(panels), 4, GROUP, columns // unit, unit)
    panels = panels.permute(0, 3, 1, 2, 4).contiguous()
    return panels.view(len(panels), columns // unit, PANEL, unit)
