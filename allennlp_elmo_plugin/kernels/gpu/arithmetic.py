"""
Parts of the Triton kernels: products, clips, and the barrier between all programs.

A tile holds one column for each row of the batch, and one row for each cell or output.
"""

import triton
import triton.language as tl

__all__ = ["clip", "clip_gradient", "first_token", "multiply", "tanh", "wait_for_all"]


@triton.jit
def wait_for_all(arrived, expected):
    """
    Waits until programs have arrived `expected` times, counted over the whole run.

    All programs have to be on the GPU at once, which a cooperative launch guarantees.
    """
    tl.debug_barrier()
    tl.atomic_add(arrived, 1, sem="acq_rel")
    while tl.atomic_add(arrived, 0, sem="acquire") < expected:
        pass
    tl.debug_barrier()


@triton.jit
def clip(values, limit):
    """Clips values to [-limit, limit]. NaN stays NaN, which Triton's minimum would lose."""
    values = tl.where(values > limit, limit, values)
    return tl.where(values < -limit, -limit, values)


@triton.jit
def clip_gradient(gradient, clipped, limit):
    """
    Returns the gradient of `clip`, as PyTorch does: clipped values and NaN pass nothing on.

    Without a limit, everything is passed on.
    """
    is_inside = (tl.abs(clipped) < limit) | (limit == float("inf"))
    return tl.where(is_inside, gradient, 0.0)


@triton.jit
def tanh(values):
    """Returns the hyperbolic tangent, which Triton has for NVIDIA's library alone."""
    size = tl.abs(values)
    shrunk = tl.exp(-2.0 * size)
    far = (1.0 - shrunk) / (1.0 + shrunk)
    # Close to 0 the difference above loses digits. The first term left out is 62 x^9 / 2835.
    square = values * values
    series = 1.0 + square * (-1.0 / 3.0 + square * (2.0 / 15.0 + square * (-17.0 / 315.0)))
    return tl.where(size < 0.1, values * series, tl.where(values < 0.0, -far, far))


@triton.jit
def first_token(starts, timestep, direction, num_tokens):
    """Returns the index of a timestep's first token among those of both directions, as int64."""
    return direction.to(tl.int64) * num_tokens + tl.load(starts + timestep)


@triton.jit
def multiply(
    matrix,
    vectors,
    sums,
    outputs,
    rows,
    alive,
    SIZE: tl.constexpr,
    DEPTH: tl.constexpr,
    ROUNDING: tl.constexpr,
):
    """
    Adds a matrix times the vectors of some rows to a tile.

    Other programs may have written the vectors, so they are read past the first-level cache.
    """
    is_alive = (rows < alive)[None, :]
    for first in range(0, SIZE, DEPTH):
        columns = first + tl.arange(0, DEPTH)
        left = tl.load(matrix + outputs[:, None] * SIZE + columns[None, :])
        at = vectors + rows[None, :] * SIZE + columns[:, None]
        right = tl.load(at, mask=is_alive, other=0.0, cache_modifier=".cg")
        sums = tl.dot(left, right, sums, input_precision=ROUNDING)
    return sums
