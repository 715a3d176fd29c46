"""
The directions of an LSTM layer with projection, together on a GPU.
"""

from math import inf
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import torch

from allennlp_elmo_plugin.kernels.gradients import (
    copy_gradients,
    hidden_before_each_token,
    refuse_second_order,
)

__all__ = ["GpuWeights", "gpu_lstm", "tile_sizes"]

State = Tuple[torch.Tensor, torch.Tensor]
Clips = Tuple[Optional[float], Optional[float]]


class GpuWeights(NamedTuple):
    """
    The weights of a layer, with one tensor for each direction.

    # Parameters

    weight_ih, weight_hh : `Sequence[torch.Tensor]`
        Input and recurrent weights of shape (4 * cell_size, projection_dim), whose rows are the
        gates i, f, g, o, in one dtype: float32, bfloat16 or float16.
    weight_hr : `Sequence[torch.Tensor]`
        Projection weights of shape (projection_dim, cell_size), in the dtype of the others.
    bias : `Sequence[torch.Tensor]`
        Biases of shape (4 * cell_size,), float32.
    """

    weight_ih: Sequence[torch.Tensor]
    weight_hh: Sequence[torch.Tensor]
    weight_hr: Sequence[torch.Tensor]
    bias: Sequence[torch.Tensor]


def gpu_lstm(
    inputs: torch.Tensor,
    batch_sizes: torch.Tensor,
    state: State,
    weights: GpuWeights,
    cell_clip: Optional[float],
    proj_clip: Optional[float],
) -> Tuple[torch.Tensor, State]:
    """
    Runs a layer in all directions together, one kernel for all timesteps.

    Vectors are rounded to the dtype of the matrices before each product; everything else is
    float32. Inputs, state and weights get gradients of first order.

    # Parameters

    inputs : `torch.Tensor`
        Time-major tokens of shape (directions, tokens, projection_dim), float32.
    batch_sizes : `torch.Tensor`
        Number of rows at each timestep, which never grows: shape (timesteps,), int64, on the CPU.
    state : `Tuple[torch.Tensor, torch.Tensor]`
        Hidden state of shape (directions, rows, projection_dim) and cell of shape
        (directions, rows, cell_size), both float32, longest row first.
    weights : `GpuWeights`
        Weights of one or two directions.
    cell_clip, proj_clip : `Optional[float]`
        Bounds of the cell and of the projected output; `None` for no bound.

    # Returns

    `Tuple[torch.Tensor, Tuple[torch.Tensor, torch.Tensor]]`
        Outputs of shape (directions, tokens, projection_dim) and the state after each row's last
        timestep, in the shapes of `state`, all float32.
    """
    sums = torch.stack(
        [
            _multiply(vectors, matrix) + bias
            for vectors, matrix, bias in zip(inputs, weights.weight_ih, weights.bias)
        ]
    )
    matrices = (*weights.weight_hh, *weights.weight_hr)
    clips = (cell_clip, proj_clip)
    if torch.is_grad_enabled() and any(
        tensor.requires_grad for tensor in (sums, *state, *matrices)
    ):
        outputs, hidden, cell = _LstmFunction.apply(sums, *state, batch_sizes, clips, *matrices)
    else:
        outputs, hidden, cell, _ = _run_forward(sums, state, batch_sizes, clips, matrices, False)
    return outputs, (hidden, cell)


class _LstmFunction(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        sums: torch.Tensor,
        first_hidden: torch.Tensor,
        first_cell: torch.Tensor,
        batch_sizes: torch.Tensor,
        clips: Clips,
        *matrices: torch.Tensor,
    ) -> Tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        # The kernel overwrites the sums with the gates, which only the backward pass reads.
        state = (first_hidden, first_cell)
        outputs, hidden, cell, cells = _run_forward(
            sums, state, batch_sizes, clips, matrices, saves=True
        )
        ctx.save_for_backward(*state, batch_sizes, outputs, sums, cells, *matrices)
        ctx.clips = clips
        return outputs, hidden, cell

    @staticmethod
    def backward(
        ctx: Any, grad_outputs: torch.Tensor, grad_hidden: torch.Tensor, grad_cell: torch.Tensor
    ) -> Tuple[Optional[torch.Tensor], ...]:
        refuse_second_order()
        first_hidden, _, batch_sizes, outputs, gates, cells, *matrices = ctx.saved_tensors
        # The kernel adds to these.
        grad_outputs, grad_hidden, grad_cell = copy_gradients(grad_outputs, grad_hidden, grad_cell)
        grad_gates = _run_backward(ctx, grad_outputs, grad_hidden, grad_cell)
        # Each matrix's gradient is one product over all tokens.
        dtype, directions = matrices[0].dtype, len(matrices) // 2
        grad_hh: List[Optional[torch.Tensor]] = [None] * directions
        grad_hr: List[Optional[torch.Tensor]] = [None] * directions
        needs_hh = ctx.needs_input_grad[5 : 5 + directions]
        needs_hr = ctx.needs_input_grad[5 + directions :]
        for direction in range(directions):
            if needs_hh[direction]:
                previous = hidden_before_each_token(
                    first_hidden[direction], outputs[direction], batch_sizes
                )
                grad_hh[direction] = grad_gates[direction].to(dtype).t().mm(previous.to(dtype))
            if needs_hr[direction]:
                _, _, _, o = gates[direction].chunk(4, dim=1)
                projected = o * torch.tanh(cells[direction])
                grad_hr[direction] = grad_outputs[direction].to(dtype).t().mm(projected.to(dtype))
        return (grad_gates, grad_hidden, grad_cell, None, None, *grad_hh, *grad_hr)


def _multiply(vectors: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    """Returns products of the rounded vectors, float32."""
    if matrix.dtype == torch.float32:
        return vectors.mm(matrix.t())
    rounded = vectors.to(matrix.dtype)
    if torch.is_grad_enabled() and (rounded.requires_grad or matrix.requires_grad):
        # Like autocast, which rounds the sums as well.
        return rounded.mm(matrix.t()).to(torch.float32)
    if vectors.device.type == "cuda" and hasattr(torch.ops.aten.mm, "dtype"):
        return torch.ops.aten.mm.dtype(rounded, matrix.t(), torch.float32)
    return rounded.to(torch.float32).mm(matrix.t().to(torch.float32))


def _run_forward(
    sums: torch.Tensor,
    state: State,
    batch_sizes: torch.Tensor,
    clips: Clips,
    matrices: Sequence[torch.Tensor],
    saves: bool,
) -> Tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Returns the outputs, the last state, and the cells of all tokens if it saves them."""
    from allennlp_elmo_plugin.kernels.gpu.forward import run_forward

    hidden, cell = (part.clone(memory_format=torch.contiguous_format) for part in state)
    dtype, num_tokens = matrices[0].dtype, sums.size(1)
    outputs = sums.new_empty(len(sums), num_tokens, hidden.size(2))
    cells = sums.new_empty(len(sums), num_tokens, cell.size(2)) if saves else cell
    operands = (hidden.to(dtype, copy=True), torch.empty_like(cell, dtype=dtype))
    hh, hr = _first_and_last([matrix.contiguous() for matrix in matrices])
    tensors = (sums, cells, outputs, hidden, cell, *operands, *hh, *hr)
    _launch(run_forward, tensors, batch_sizes, clips, hidden, cell, dtype, SAVES=saves)
    return outputs, hidden, cell, cells


def _run_backward(
    ctx: Any, grad_outputs: torch.Tensor, grad_hidden: torch.Tensor, grad_cell: torch.Tensor
) -> torch.Tensor:
    """
    Returns the gradients of the gates' sums.

    The kernel overwrites the given gradients.
    """
    from allennlp_elmo_plugin.kernels.gpu.backward import run_backward

    _, first_cell, batch_sizes, outputs, gates, cells, *matrices = ctx.saved_tensors
    dtype = matrices[0].dtype
    grad_gates = torch.empty_like(gates)
    directions, num_rows, _ = grad_cell.shape
    operands = (
        torch.empty_like(grad_hidden, dtype=dtype),
        gates.new_empty(directions, num_rows, gates.size(2), dtype=dtype),
    )
    # The kernel goes from outputs to inputs, so it reads the matrices transposed.
    hh, hr = _first_and_last([matrix.t().contiguous() for matrix in matrices])
    gradients = (grad_outputs, grad_hidden, grad_cell, grad_gates)
    saved = (outputs, gates, cells, first_cell.contiguous())
    tensors = (*gradients, *saved, *operands, *hh, *hr)
    _launch(run_backward, tensors, batch_sizes, ctx.clips, grad_hidden, grad_cell, dtype)
    return grad_gates


def _first_and_last(matrices: List[torch.Tensor]) -> Tuple[Tuple[torch.Tensor, ...], ...]:
    """Returns the first and the last direction's `hh`, and the same of `hr`."""
    half = len(matrices) // 2
    return (matrices[0], matrices[half - 1]), (matrices[half], matrices[-1])


def _launch(
    kernel: Any,
    tensors: Sequence[torch.Tensor],
    batch_sizes: torch.Tensor,
    clips: Clips,
    hidden: torch.Tensor,
    cell: torch.Tensor,
    dtype: torch.dtype,
    **constants: Any,
) -> None:
    """Runs a kernel as one program for each processor of the GPU, or as one on the CPU."""
    device = hidden.device
    directions, num_rows, projection_dim = hidden.shape
    cell_size = cell.size(2)
    starts = torch.zeros(len(batch_sizes) + 1, dtype=torch.int32)
    torch.cumsum(batch_sizes, dim=0, out=starts[1:])
    is_gpu = device.type == "cuda"
    processors = torch.cuda.get_device_properties(device).multi_processor_count if is_gpu else 1
    sizes = tile_sizes(directions, projection_dim, cell_size, num_rows, dtype, processors)
    most_tiles = directions * max(cell_size // sizes["CELLS"], projection_dim // sizes["OUTPUTS"])
    arguments = (
        *tensors,
        starts.to(device),
        torch.zeros(1, dtype=torch.int32, device=device),
        *(inf if limit is None else limit for limit in clips),
        len(batch_sizes),
        int(batch_sizes.sum()),
        num_rows,
    )
    if is_gpu:
        constants["launch_cooperative_grid"] = True
    with torch.cuda.device_of(hidden):
        kernel[(min(processors, most_tiles),)](
            *arguments,
            DIRECTIONS=directions,
            PROJECTION_DIM=projection_dim,
            CELL_SIZE=cell_size,
            ROUNDING=_rounding(),
            **sizes,
            **constants,
        )


def _rounding() -> str:
    """Returns Triton's name for the precision of float32 products that PyTorch is set to."""
    # Three products of TensorFloat-32 have about the digits of float32, and take less time.
    return "tf32" if torch.backends.cuda.matmul.allow_tf32 else "tf32x3"


def tile_sizes(
    directions: int,
    projection_dim: int,
    cell_size: int,
    num_rows: int,
    dtype: torch.dtype,
    processors: int,
) -> Dict[str, int]:
    """
    Returns the sizes of tiles that a kernel is compiled for.

    They give each processor a tile where they can, and fit into the shared memory of every GPU from
    compute capability 8.0 on.

    # Parameters

    directions, projection_dim, cell_size, num_rows : `int`
        Sizes of the layer and of the state.
    dtype : `torch.dtype`
        Dtype of the matrices.
    processors : `int`
        Number of the GPU's multiprocessors.

    # Returns

    `Dict[str, int]`
        Constants of both kernels, and Triton's launch options.
    """
    cells = 16
    for candidate in (32, 64):
        if cell_size % candidate == 0 and directions * cell_size // candidate > 0.9 * processors:
            cells = candidate
    depth = 32 if dtype == torch.float32 else 64
    return {
        "CELLS": cells,
        "OUTPUTS": 16,
        "ROWS": min(64, max(16, 1 << (num_rows - 1).bit_length())),
        "HIDDEN_DEPTH": _divisor(projection_dim, depth),
        "CELL_DEPTH": _divisor(cell_size, 2 * depth),
        "num_warps": 4,
        "num_stages": 3,
    }


def _divisor(size: int, largest: int) -> int:
    """Returns the largest power of two, up to `largest`, that divides a multiple of 16."""
    return min(largest, size & -size)
