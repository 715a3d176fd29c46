"""
The Triton kernel for the gradients of all timesteps of an LSTM layer with projection.
"""

import triton
import triton.language as tl

from allennlp_elmo_plugin.kernels.gpu.arithmetic import (
    clip_gradient,
    first_token,
    multiply,
    tanh,
    wait_for_all,
)

__all__ = ["run_backward"]


@triton.jit
def _add_grad_hidden(
    grad_outputs, grad_hidden, outputs, output_operand, first, direction, num_rows, mine, alive,
    proj_clip,
    PROJECTION_DIM: tl.constexpr, ROWS: tl.constexpr,
):  # fmt: skip
    """Adds to the gradient of a timestep's outputs what comes through the recurrence."""
    for row in range(0, alive, ROWS):
        rows = row + tl.arange(0, ROWS)
        is_alive = (rows < alive)[None, :]
        output = (first + rows[None, :]) * PROJECTION_DIM + mine[:, None]
        state = (direction * num_rows + rows[None, :]) * PROJECTION_DIM + mine[:, None]
        total = tl.load(grad_outputs + output, mask=is_alive, other=0.0)
        total += tl.load(grad_hidden + state, mask=is_alive, other=0.0)
        clipped = tl.load(outputs + output, mask=is_alive, other=0.0)
        total = clip_gradient(total, clipped, proj_clip)
        tl.store(grad_outputs + output, total, mask=is_alive)
        operand = total.to(output_operand.dtype.element_ty)
        tl.store(output_operand + state, operand, mask=is_alive)


@triton.jit
def _compute_grad_gates(
    grad_cell, grad_gates, gates, cells, first_cell, output_operand, gate_operand, weight_hr,
    timestep, first, first_before, direction, num_rows, mine, rows, alive, cell_clip,
    PROJECTION_DIM: tl.constexpr, CELL_SIZE: tl.constexpr, CELLS: tl.constexpr,
    ROWS: tl.constexpr, DEPTH: tl.constexpr, ROUNDING: tl.constexpr,
):  # fmt: skip
    """Computes the gradients of a tile of cells and their gates, from that of the outputs."""
    is_alive = (rows < alive)[None, :]
    vectors = output_operand + direction * num_rows * PROJECTION_DIM
    sums = tl.zeros((CELLS, ROWS), tl.float32)
    sums = multiply(weight_hr, vectors, sums, mine, rows, alive, PROJECTION_DIM, DEPTH, ROUNDING)
    gate = (first + rows[None, :]) * (4 * CELL_SIZE) + mine[:, None]
    i = tl.load(gates + gate, mask=is_alive, other=0.0)
    f = tl.load(gates + gate + CELL_SIZE, mask=is_alive, other=0.0)
    g = tl.load(gates + gate + 2 * CELL_SIZE, mask=is_alive, other=0.0)
    o = tl.load(gates + gate + 3 * CELL_SIZE, mask=is_alive, other=0.0)
    at = (first + rows[None, :]) * CELL_SIZE + mine[:, None]
    new = tl.load(cells + at, mask=is_alive, other=0.0)
    state = (direction * num_rows + rows[None, :]) * CELL_SIZE + mine[:, None]
    before = first_cell + state
    if timestep > 0:
        before = cells + (first_before + rows[None, :]) * CELL_SIZE + mine[:, None]
    old = tl.load(before, mask=is_alive, other=0.0)
    activated = tanh(new)
    through = sums * o * (1.0 - activated * activated)
    through += tl.load(grad_cell + state, mask=is_alive, other=0.0)
    through = clip_gradient(through, new, cell_clip)
    tl.store(grad_cell + state, through * f, mask=is_alive)
    grad_i = through * g * i * (1.0 - i)
    grad_f = through * old * f * (1.0 - f)
    grad_g = through * i * (1.0 - g * g)
    grad_o = sums * activated * o * (1.0 - o)
    tl.store(grad_gates + gate, grad_i, mask=is_alive)
    tl.store(grad_gates + gate + CELL_SIZE, grad_f, mask=is_alive)
    tl.store(grad_gates + gate + 2 * CELL_SIZE, grad_g, mask=is_alive)
    tl.store(grad_gates + gate + 3 * CELL_SIZE, grad_o, mask=is_alive)
    dtype = gate_operand.dtype.element_ty
    operand = gate_operand + (direction * num_rows + rows[None, :]) * (4 * CELL_SIZE)
    operand += mine[:, None]
    tl.store(operand, grad_i.to(dtype), mask=is_alive)
    tl.store(operand + CELL_SIZE, grad_f.to(dtype), mask=is_alive)
    tl.store(operand + 2 * CELL_SIZE, grad_g.to(dtype), mask=is_alive)
    tl.store(operand + 3 * CELL_SIZE, grad_o.to(dtype), mask=is_alive)


@triton.jit
def _compute_grad_hidden(
    grad_hidden, gate_operand, weight_hh, direction, num_rows, mine, alive,
    PROJECTION_DIM: tl.constexpr, CELL_SIZE: tl.constexpr, OUTPUTS: tl.constexpr,
    ROWS: tl.constexpr, DEPTH: tl.constexpr, ROUNDING: tl.constexpr,
):  # fmt: skip
    """Computes a tile of the gradient of the hidden state before, from that of the gates."""
    vectors = gate_operand + direction * num_rows * 4 * CELL_SIZE
    for row in range(0, alive, ROWS):
        rows = row + tl.arange(0, ROWS)
        sums = tl.zeros((OUTPUTS, ROWS), tl.float32)
        sums = multiply(weight_hh, vectors, sums, mine, rows, alive, 4 * CELL_SIZE, DEPTH, ROUNDING)
        state = (direction * num_rows + rows[None, :]) * PROJECTION_DIM + mine[:, None]
        tl.store(grad_hidden + state, sums, mask=(rows < alive)[None, :])


@triton.jit(do_not_specialize=["num_timesteps", "num_tokens", "num_rows"])
def run_backward(
    grad_outputs, grad_hidden, grad_cell, grad_gates, outputs, gates, cells, first_cell,
    output_operand, gate_operand, first_hh, last_hh, first_hr, last_hr, starts, arrived,
    cell_clip, proj_clip, num_timesteps, num_tokens, num_rows,
    DIRECTIONS: tl.constexpr, PROJECTION_DIM: tl.constexpr, CELL_SIZE: tl.constexpr,
    CELLS: tl.constexpr, OUTPUTS: tl.constexpr, ROWS: tl.constexpr, HIDDEN_DEPTH: tl.constexpr,
    CELL_DEPTH: tl.constexpr, ROUNDING: tl.constexpr,
):  # fmt: skip
    """
    Computes the gradients of the gates' sums and of the first state.

    # Parameters

    grad_outputs :
        Gradient of the outputs: shape (directions, tokens, projection_dim), float32. The gradient
        that comes through the recurrence is added to it.
    grad_hidden, grad_cell :
        Gradient of the last state in the shapes of the state, float32; overwritten with that of
        the first state.
    grad_gates :
        Memory of shape (directions, tokens, 4 * cell_size), float32; written.
    outputs, gates, cells :
        Tensors that the forward kernel wrote and saved.
    first_cell :
        Cells that the forward kernel began with: shape (directions, rows, cell_size), float32.
    output_operand, gate_operand :
        Working memory of shape (directions, rows, projection_dim) and
        (directions, rows, 4 * cell_size), in the dtype of the matrices.
    first_hh, last_hh, first_hr, last_hr :
        Matrices of the forward kernel, transposed: shape (projection_dim, 4 * cell_size) and
        (cell_size, projection_dim), contiguous.
    starts, arrived, cell_clip, proj_clip, CELLS, OUTPUTS, ROWS, ROUNDING :
        See `run_forward`.
    HIDDEN_DEPTH, CELL_DEPTH :
        Number of columns of `hr` and `hh` that are multiplied at once.
    """
    tiles: tl.constexpr = CELL_SIZE // CELLS
    tiles_of_outputs: tl.constexpr = PROJECTION_DIM // OUTPUTS
    waits = 0
    # Once more than there are timesteps: each round ends with the gradient of the outputs before.
    for back in range(num_timesteps + 1):
        timestep = num_timesteps - back
        alive = 0
        if back > 0:
            alive = tl.load(starts + timestep + 1) - tl.load(starts + timestep)
        for tile in range(tl.program_id(0), DIRECTIONS * tiles, tl.num_programs(0)):
            direction = tile // tiles
            first = first_token(starts, timestep, direction, num_tokens)
            before = first_token(starts, tl.maximum(timestep - 1, 0), direction, num_tokens)
            mine = (tile % tiles) * CELLS + tl.arange(0, CELLS)
            weight_hr = first_hr
            if direction == 1:
                weight_hr = last_hr
            for row in range(0, alive, ROWS):
                rows = row + tl.arange(0, ROWS)
                # fmt: off
                _compute_grad_gates(
                    grad_cell, grad_gates, gates, cells, first_cell, output_operand, gate_operand,
                    weight_hr, timestep, first, before, direction, num_rows, mine, rows, alive,
                    cell_clip, PROJECTION_DIM, CELL_SIZE, CELLS, ROWS, HIDDEN_DEPTH, ROUNDING,
                )
                # fmt: on
        waits += tl.num_programs(0)
        wait_for_all(arrived, waits)
        for tile in range(tl.program_id(0), DIRECTIONS * tiles_of_outputs, tl.num_programs(0)):
            direction = tile // tiles_of_outputs
            mine = (tile % tiles_of_outputs) * OUTPUTS + tl.arange(0, OUTPUTS)
            weight_hh = first_hh
            if direction == 1:
                weight_hh = last_hh
            # fmt: off
            _compute_grad_hidden(
                grad_hidden, gate_operand, weight_hh, direction, num_rows, mine, alive,
                PROJECTION_DIM, CELL_SIZE, OUTPUTS, ROWS, CELL_DEPTH, ROUNDING,
            )
            if timestep > 0:
                # The program reads what its other threads wrote.
                tl.debug_barrier()
                before = first_token(starts, timestep - 1, direction, num_tokens)
                num_before = tl.load(starts + timestep) - tl.load(starts + timestep - 1)
                _add_grad_hidden(
                    grad_outputs, grad_hidden, outputs, output_operand, before, direction,
                    num_rows, mine, num_before, proj_clip, PROJECTION_DIM, ROWS,
                )
            # fmt: on
        waits += tl.num_programs(0)
        wait_for_all(arrived, waits)
