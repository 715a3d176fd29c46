"""
The Triton kernel for all timesteps of an LSTM layer with projection.
"""

import triton
import triton.language as tl

from allennlp_elmo_plugin.kernels.gpu.arithmetic import (
    clip,
    first_token,
    multiply,
    tanh,
    wait_for_all,
)

__all__ = ["run_forward"]


@triton.jit
def _compute_cells(
    gates, cells, cell, hidden_operand, cell_operand, weight_hh, first, direction, num_rows,
    mine, rows, alive, cell_clip,
    PROJECTION_DIM: tl.constexpr, CELL_SIZE: tl.constexpr, CELLS: tl.constexpr,
    ROWS: tl.constexpr, DEPTH: tl.constexpr, ROUNDING: tl.constexpr, SAVES: tl.constexpr,
):  # fmt: skip
    """Computes a tile of cells, from the hidden state before."""
    is_alive = (rows < alive)[None, :]
    vectors = hidden_operand + direction * num_rows * PROJECTION_DIM
    gate_size: tl.constexpr = CELL_SIZE * PROJECTION_DIM
    i = tl.zeros((CELLS, ROWS), tl.float32)
    f = tl.zeros((CELLS, ROWS), tl.float32)
    g = tl.zeros((CELLS, ROWS), tl.float32)
    o = tl.zeros((CELLS, ROWS), tl.float32)
    # All gates at once, so that the vectors are read once.
    for first_column in range(0, PROJECTION_DIM, DEPTH):
        columns = first_column + tl.arange(0, DEPTH)
        at = vectors + rows[None, :] * PROJECTION_DIM + columns[:, None]
        vector = tl.load(at, mask=is_alive, other=0.0, cache_modifier=".cg")
        matrix = weight_hh + mine[:, None] * PROJECTION_DIM + columns[None, :]
        i = tl.dot(tl.load(matrix), vector, i, input_precision=ROUNDING)
        f = tl.dot(tl.load(matrix + gate_size), vector, f, input_precision=ROUNDING)
        g = tl.dot(tl.load(matrix + 2 * gate_size), vector, g, input_precision=ROUNDING)
        o = tl.dot(tl.load(matrix + 3 * gate_size), vector, o, input_precision=ROUNDING)
    token = first + rows[None, :]
    gate = gates + token * (4 * CELL_SIZE) + mine[:, None]
    i = tl.sigmoid(i + tl.load(gate, mask=is_alive, other=0.0))
    f = tl.sigmoid(f + tl.load(gate + CELL_SIZE, mask=is_alive, other=0.0))
    g = tanh(g + tl.load(gate + 2 * CELL_SIZE, mask=is_alive, other=0.0))
    o = tl.sigmoid(o + tl.load(gate + 3 * CELL_SIZE, mask=is_alive, other=0.0))
    state = (direction * num_rows + rows[None, :]) * CELL_SIZE + mine[:, None]
    new = clip(i * g + f * tl.load(cell + state, mask=is_alive, other=0.0), cell_clip)
    tl.store(cell + state, new, mask=is_alive)
    activated = (o * tanh(new)).to(cell_operand.dtype.element_ty)
    tl.store(cell_operand + state, activated, mask=is_alive)
    if SAVES:
        tl.store(gate, i, mask=is_alive)
        tl.store(gate + CELL_SIZE, f, mask=is_alive)
        tl.store(gate + 2 * CELL_SIZE, g, mask=is_alive)
        tl.store(gate + 3 * CELL_SIZE, o, mask=is_alive)
        tl.store(cells + token * CELL_SIZE + mine[:, None], new, mask=is_alive)


@triton.jit
def _compute_outputs(
    outputs, hidden, hidden_operand, cell_operand, weight_hr, first, direction, num_rows, mine,
    rows, alive, proj_clip,
    PROJECTION_DIM: tl.constexpr, CELL_SIZE: tl.constexpr, OUTPUTS: tl.constexpr,
    ROWS: tl.constexpr, DEPTH: tl.constexpr, ROUNDING: tl.constexpr,
):  # fmt: skip
    """Computes a tile of outputs, from the cells."""
    is_alive = (rows < alive)[None, :]
    vectors = cell_operand + direction * num_rows * CELL_SIZE
    sums = tl.zeros((OUTPUTS, ROWS), tl.float32)
    sums = multiply(weight_hr, vectors, sums, mine, rows, alive, CELL_SIZE, DEPTH, ROUNDING)
    new = clip(sums, proj_clip)
    token = first + rows[None, :]
    tl.store(outputs + token * PROJECTION_DIM + mine[:, None], new, mask=is_alive)
    state = (direction * num_rows + rows[None, :]) * PROJECTION_DIM + mine[:, None]
    tl.store(hidden + state, new, mask=is_alive)
    tl.store(hidden_operand + state, new.to(hidden_operand.dtype.element_ty), mask=is_alive)


@triton.jit(do_not_specialize=["num_timesteps", "num_tokens", "num_rows"])
def run_forward(
    gates, cells, outputs, hidden, cell, hidden_operand, cell_operand, first_hh, last_hh,
    first_hr, last_hr, starts, arrived, cell_clip, proj_clip, num_timesteps, num_tokens,
    num_rows,
    DIRECTIONS: tl.constexpr, PROJECTION_DIM: tl.constexpr, CELL_SIZE: tl.constexpr,
    CELLS: tl.constexpr, OUTPUTS: tl.constexpr, ROWS: tl.constexpr, HIDDEN_DEPTH: tl.constexpr,
    CELL_DEPTH: tl.constexpr, ROUNDING: tl.constexpr, SAVES: tl.constexpr,
):  # fmt: skip
    """
    Computes the outputs and the last state.

    The programs share out the cells, wait for each other, share out the outputs, and wait again.

    # Parameters

    gates :
        Share of the inputs and the bias in the sums of the gates i, f, g, o: shape
        (directions, tokens, 4 * cell_size), float32. If `SAVES`, overwritten with the gates.
    cells :
        Memory of shape (directions, tokens, cell_size), float32; written if `SAVES`.
    outputs :
        Memory of shape (directions, tokens, projection_dim), float32; written.
    hidden, cell :
        State of shape (directions, rows, projection_dim) and (directions, rows, cell_size),
        float32; overwritten with the last state.
    hidden_operand, cell_operand :
        Working memory in the shapes of `hidden` and `cell`, in the dtype of the matrices. At first
        `hidden_operand` is a copy of `hidden`.
    first_hh, last_hh, first_hr, last_hr :
        Matrices of shape (4 * cell_size, projection_dim) and (projection_dim, cell_size) of the
        first and the last direction, in one dtype, contiguous.
    starts :
        First token of each timestep, and the number of tokens: shape (timesteps + 1,), int32.
    arrived :
        Number of arrivals at the barrier, 0 at first: shape (1,), int32.
    cell_clip, proj_clip :
        Bounds of the cell and of the projected output; infinity for no bound.
    CELLS, OUTPUTS, ROWS :
        Sizes of a tile. The first two divide the sizes of the layer.
    HIDDEN_DEPTH, CELL_DEPTH :
        Number of columns of a matrix that are multiplied at once; a divisor of all columns.
    ROUNDING :
        Rounding of float32 matrices, Triton's `input_precision`.
    SAVES :
        `True` if a backward pass follows.
    """
    waits = 0
    for timestep in range(num_timesteps):
        alive = tl.load(starts + timestep + 1) - tl.load(starts + timestep)
        tiles: tl.constexpr = CELL_SIZE // CELLS
        for tile in range(tl.program_id(0), DIRECTIONS * tiles, tl.num_programs(0)):
            direction = tile // tiles
            first = first_token(starts, timestep, direction, num_tokens)
            mine = (tile % tiles) * CELLS + tl.arange(0, CELLS)
            weight_hh = first_hh
            if direction == 1:
                weight_hh = last_hh
            for row in range(0, alive, ROWS):
                rows = row + tl.arange(0, ROWS)
                # fmt: off
                _compute_cells(
                    gates, cells, cell, hidden_operand, cell_operand, weight_hh,
                    first, direction, num_rows, mine, rows, alive, cell_clip,
                    PROJECTION_DIM, CELL_SIZE, CELLS, ROWS, HIDDEN_DEPTH, ROUNDING, SAVES,
                )
                # fmt: on
        waits += tl.num_programs(0)
        wait_for_all(arrived, waits)
        tiles_of_outputs: tl.constexpr = PROJECTION_DIM // OUTPUTS
        for tile in range(tl.program_id(0), DIRECTIONS * tiles_of_outputs, tl.num_programs(0)):
            direction = tile // tiles_of_outputs
            first = first_token(starts, timestep, direction, num_tokens)
            mine = (tile % tiles_of_outputs) * OUTPUTS + tl.arange(0, OUTPUTS)
            weight_hr = first_hr
            if direction == 1:
                weight_hr = last_hr
            for row in range(0, alive, ROWS):
                rows = row + tl.arange(0, ROWS)
                # fmt: off
                _compute_outputs(
                    outputs, hidden, hidden_operand, cell_operand, weight_hr,
                    first, direction, num_rows, mine, rows, alive, proj_clip,
                    PROJECTION_DIM, CELL_SIZE, OUTPUTS, ROWS, CELL_DEPTH, ROUNDING,
                )
                # fmt: on
        waits += tl.num_programs(0)
        wait_for_all(arrived, waits)
