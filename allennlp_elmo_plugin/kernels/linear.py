"""A matrix product with a bias, on the compiled kernels."""

import torch
from allennlp.common.checks import ConfigurationError

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
        Kernels that run.
    inputs : `torch.Tensor`
        Rows of shape (rows, columns of the matrix), float32.
    matrix : `TiledMatrix`
        Matrix with a multiple of 16 rows, tiled without `is_gates`.
    bias : `torch.Tensor`
        Bias of shape (panels * 64,), float32, from `tile_vector`.

    # Returns

    `torch.Tensor`
        Products of shape (rows, rows of the matrix), float32.

    # Raises

    `ConfigurationError`
        If the size of the inputs is not the number of columns, or their dtype is not float32.
    """
    num_rows, num_inputs = inputs.shape
    _, units, _, unit = matrix.weight.shape
    if num_inputs != units * unit or inputs.dtype != torch.float32:
        raise ConfigurationError(
            f"Expected float32 inputs of size {units * unit}, the columns of the matrix, got "
            f"shape {tuple(inputs.shape)} and dtype {inputs.dtype}."
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
