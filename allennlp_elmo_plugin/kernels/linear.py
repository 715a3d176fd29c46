"""
A matrix product with a bias, on the compiled kernels.
"""

import torch

from allennlp_elmo_plugin.kernels.abi import LinearArguments, matrix_pointers
from allennlp_elmo_plugin.kernels.dispatch import Kernels
from allennlp_elmo_plugin.kernels.tiling import PRECISIONS, TiledMatrix

__all__ = ["kernel_linear"]


def kernel_linear(
    kernels: Kernels, inputs: torch.Tensor, matrix: TiledMatrix, bias: torch.Tensor
) -> torch.Tensor:
    """
    Multiplies rows with a matrix and adds a bias, without gradients.

    # Parameters

    kernels : `Kernels`
        The kernels that run.
    inputs : `torch.Tensor`
        Shape (rows, columns of the matrix), float32.
    matrix : `TiledMatrix`
        A matrix with a multiple of 16 rows that are no gates.
    bias : `torch.Tensor`
        Shape (panels * 64,), float32, from `tile_vector`.

    # Returns

    `torch.Tensor`
        Shape (rows, rows of the matrix), float32.

    # Raises

    `RuntimeError`
        If the inputs have another size than the matrix has columns, or another type.
    """
    num_rows, num_inputs = inputs.shape
    _, units, _, unit = matrix.weight.shape
    if num_inputs != units * unit or inputs.dtype != torch.float32:
        raise RuntimeError(
            f"Expected float32 inputs of size {units * unit}, the columns of the matrix, got "
            f"shape {tuple(inputs.shape)} of type {inputs.dtype}."
        )
    inputs = inputs.contiguous()
    outputs = inputs.new_empty(num_rows, matrix.rows)
    arguments = LinearArguments(
        precision=PRECISIONS.index(matrix.precision),
        num_rows=num_rows,
        num_inputs=num_inputs,
        num_outputs=matrix.rows,
        matrix=matrix_pointers(matrix),
        bias=bias.data_ptr(),
        inputs=inputs.data_ptr(),
        outputs=outputs.data_ptr(),
    )
    kernels.run("linear", arguments)
    return outputs
