"""
Tiled matrices, in the order in which the kernels read them, in full or reduced precision.

A tiled matrix is cut into panels of 64 rows. Within a panel the weights stand column by column:
[panel][column / unit][64][unit]. A unit is the columns that fill 4 bytes: 1 of float32, 2 of
bfloat16, 4 of int8. The rows of a panel are consecutive. If the rows of the matrix are the four
gates of an LSTM, a panel has 16 rows of each gate, which is all that 16 cells need.
"""

from math import inf, nan
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
# A row's largest number counts as at least this, so that a row of zeros has a finite scale.
TINY = 1e-30


class TiledMatrix(NamedTuple):
    """
    A matrix in panels.

    # Parameters

    weight : `torch.Tensor`
        Weights of shape (panels, columns / unit, 64, unit), in float32, int16 (the bits of
        bfloat16) or int8.
    scale : `torch.Tensor`
        Factor of each row's int8 weights: shape (panels * 64,), float32. Empty in other precisions.
    offset : `torch.Tensor`
        Sum of each row's int8 weights, times 128: shape (panels * 64,), int32. The kernels subtract
        it, since they add 128 to activations to make them unsigned. Empty in other precisions.
    rows : `int`
        Number of rows, without those that fill the last panel.
    is_gates : `bool`
        If `True`, the rows are the four gates of an LSTM.
    precision : `str`
        Precision of the weights, one of `PRECISIONS`.
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
    Cuts a matrix into panels, and rounds its weights to a precision.

    # Parameters

    matrix : `torch.Tensor`
        Weights of shape (rows, columns), float32. The number of columns is a multiple of 16; so is
        the number of rows of each gate.
    precision : `str`, optional (default = `"float32"`)
        Precision of the weights, one of `PRECISIONS`. In int8, each row has a scale of its own: its
        largest weight is 127. A row with infinity or NaN in it is NaN altogether.
    is_gates : `bool`, optional (default = `False`)
        If `True`, the rows are the four gates of an LSTM.

    # Returns

    `TiledMatrix`
    """
    matrix = matrix.detach()
    scale = offset = matrix.new_empty(0)
    if precision == "bfloat16":
        matrix = matrix.to(torch.bfloat16).view(torch.int16)
    elif precision == "int8":
        largest = matrix.abs().amax(dim=1)
        # Integers have no infinity and no NaN, so the scale stands for either.
        largest = largest.masked_fill(~(largest < inf), nan)
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


def untile_matrix(tiled: TiledMatrix) -> torch.Tensor:
    """
    Computes the matrix for which a tiled matrix stands.

    # Parameters

    tiled : `TiledMatrix`
        Matrix in panels.

    # Returns

    `torch.Tensor`
        Weights of shape (rows, columns), float32, after the rounding of their precision.
    """
    num_panels, units, _, unit = tiled.weight.shape
    panels = tiled.weight.transpose(1, 2).reshape(num_panels, PANEL, units * unit)
    if tiled.precision == "bfloat16":
        panels = panels.view(torch.bfloat16)
    panels = panels.to(torch.float32)
    if tiled.precision == "int8":
        panels = panels * tiled.scale.view(num_panels, PANEL, 1)
    if tiled.is_gates:
        panels = panels.view(num_panels, 4, GROUP, -1).transpose(0, 1)
    return panels.reshape(num_panels * PANEL, -1)[: tiled.rows].contiguous()


def tile_vector(vector: torch.Tensor, is_gates: bool = False) -> torch.Tensor:
    """
    Puts a vector with a number for each row of a matrix into the order of the panels.

    # Parameters

    vector : `torch.Tensor`
        Numbers of shape (rows,), in any dtype.
    is_gates : `bool`, optional (default = `False`)
        If `True`, the rows are the four gates of an LSTM.

    # Returns

    `torch.Tensor`
        The same numbers in the order of the panels: shape (panels * 64,), in the vector's dtype.
    """
    return _to_panels(vector.detach().unsqueeze(1), 1, is_gates).flatten()


def round_activations(activations: torch.Tensor, precision: str) -> torch.Tensor:
    """
    Rounds activations as the kernels do before they multiply them with weights.

    # Parameters

    activations : `torch.Tensor`
        Activations of shape (..., columns), float32.
    precision : `str`
        Precision of the weights, one of `PRECISIONS`. In int8, each row is scaled so that its
        largest number is 127; one with infinity or NaN in it is NaN altogether.

    # Returns

    `torch.Tensor`
        Rounded activations of the same shape, float32.
    """
    if precision == "bfloat16":
        return activations.to(torch.bfloat16).to(torch.float32)
    if precision == "int8":
        largest = activations.abs().amax(dim=-1, keepdim=True).clamp(min=TINY)
        return (activations * (LARGEST / largest)).round() * (largest / LARGEST)
    return activations


def can_tile(*sizes: int) -> bool:
    """Returns `True` if the kernels take matrices and vectors of these sizes."""
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
