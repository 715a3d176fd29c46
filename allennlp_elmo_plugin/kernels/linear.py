"""
A matrix product on the compiled kernels.
"""

import torch

from allennlp_elmo_plugin.kernels.abi import LinearArguments, pointers
from allennlp_elmo_plugin.kernels.dispatch import Kernels
from allennlp_elmo_plugin.kernels.tiling import PRECISIONS, TiledMatrix

__all__ = ["kernel_linear"]


def kernel_linear(
    kernels: Kernels, inputs: torch.Tensor, matrix: TiledMatrix, bias: torch.Tensor
) -> torch.Tensor:
    """
    Without gradients.

    # Parameters

    kernels : `Kernels`
        Which kernels run.
    inputs : `torch.Tensor`
        Shape (rows, columns of the matrix), float32.
    matrix : `TiledMatrix`
        A matrix whose rows are no gates, and a multiple of 16.
    bias : `torch.Tensor`
        Shape (panels * 64,), float32, from `tile_vector`.

    # Returns

    `torch.Tensor`
        Shape (rows, rows of the matrix), float32.

    # Raises

    `RuntimeError`
        When the inputs have another size than the matrix has columns.
    """
    _, units, _, unit = matrix.weight.shape
    if inputs.size(1) != units * unit:
        raise RuntimeError(
            f"Expected inputs of size {units * unit}, the columns of the matrix, got shape "
            f"{tuple(inputs.shape)}."
        )
    inputs = inputs.contiguous()
    outputs = inputs.new_empty(len(inputs), matrix.rows)
    kernels.run(
        "linear",
        LinearArguments(
            precision=PRECISIONS.index(matrix.precision),
            num_rows=len(inputs),
            num_inputs=inputs.size(1),
            num_outputs=matrix.rows,
            matrix=pointers(matrix),
            bias=bias.data_ptr(),
            inputs=inputs.data_ptr(),
            outputs=outputs.data_ptr(),
        ),
    )
    return outputs
