"""One LSTM layer with projection in one direction, on the compiled kernels."""

from math import inf
from typing import Any, List, NamedTuple, Optional, Tuple

import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.kernels.abi import (
    LstmBackwardArguments,
    LstmForwardArguments,
    matrix_pointers,
)
from allennlp_elmo_plugin.kernels.dispatch import Kernels
from allennlp_elmo_plugin.kernels.gradients import (
    copy_gradients,
    hidden_before_each_token,
    refuse_second_order,
)
from allennlp_elmo_plugin.kernels.tiling import PRECISIONS, TiledMatrix, tile_matrix, tile_vector

__all__ = ["PreparedLstm", "TiledLstm", "kernel_lstm", "kernel_lstm_with_gradients"]

State = Tuple[torch.Tensor, torch.Tensor]
Clips = Tuple[Optional[float], Optional[float]]


class TiledLstm(NamedTuple):
    """
    The tiled weights of a layer in one direction, all in one precision.

    # Parameters

    weight_ih : `TiledMatrix`
        Input weight with 4 * cell_size rows, which are gates, and projection_dim columns.
    weight_hh : `TiledMatrix`
        Recurrent weight with 4 * cell_size rows, which are gates, and projection_dim columns.
    weight_hr : `TiledMatrix`
        Projection weight with projection_dim rows and cell_size columns.
    bias : `torch.Tensor`
        Bias of shape (4 * cell_size,), float32, in the order of the panels.
    """

    weight_ih: TiledMatrix
    weight_hh: TiledMatrix
    weight_hr: TiledMatrix
    bias: torch.Tensor


class PreparedLstm:
    """
    A layer in one direction that is ready to run, without gradients.

    The constructor does all of Python's work. It is faster to prepare all layers first and then to
    run them one after the other: the weights that a kernel reads push Python's own data out of the
    processor's caches.

    # Parameters

    kernels : `Kernels`
        Kernels that run.
    inputs : `torch.Tensor`
        Time-major tokens of shape (tokens, projection_dim), float32, contiguous.
    batch_sizes : `torch.Tensor`
        Number of rows at each timestep, which never grows: shape (timesteps,), int64, on the CPU.
    state : `Tuple[torch.Tensor, torch.Tensor]`
        Hidden state of shape (rows, projection_dim) and cell of shape (rows, cell_size), both
        float32 and contiguous, longest row first. `run` overwrites them with the state after each
        row's last timestep.
    weights : `TiledLstm`
        Weights in any precision.
    clips : `Tuple[Optional[float], Optional[float]]`
        Bounds of the cell and of the projected output; `None` for no bound.
    outputs : `torch.Tensor`
        Memory of shape (tokens, projection_dim), float32, contiguous, apart from that of the
        inputs. `run` writes the outputs to it.
    saved : `Tuple[torch.Tensor, torch.Tensor]`, optional (default = `None`)
        Memory for the gates, of shape (tokens, 4 * cell_size), and for the cells, of shape
        (tokens, cell_size), both float32 and contiguous, if a backward pass follows.

    # Raises

    `ConfigurationError`
        If the shapes or dtypes do not fit each other.
    """

    def __init__(
        self,
        kernels: Kernels,
        inputs: torch.Tensor,
        batch_sizes: torch.Tensor,
        state: State,
        weights: TiledLstm,
        clips: Clips,
        outputs: torch.Tensor,
        saved: Optional[Tuple[torch.Tensor, torch.Tensor]] = None,
    ) -> None:
        hidden, cell = state
        _check_shapes(inputs, batch_sizes, hidden, cell, weights, outputs)
        batch_sizes = batch_sizes.contiguous()
        gates, cells = (None, None) if saved is None else (saved[0].data_ptr(), saved[1].data_ptr())
        self._kernels = kernels
        # The memory behind the pointers has to live as long as they do.
        self._tensors = (inputs, batch_sizes, state, weights, outputs, saved)
        self._arguments = LstmForwardArguments(
            precision=PRECISIONS.index(weights.weight_hh.precision),
            num_timesteps=len(batch_sizes),
            num_tokens=inputs.size(0),
            num_rows=cell.size(0),
            projection_dim=inputs.size(1),
            cell_size=cell.size(1),
            batch_sizes=batch_sizes.data_ptr(),
            cell_clip=_limit(clips[0]),
            proj_clip=_limit(clips[1]),
            input=matrix_pointers(weights.weight_ih),
            recurrent=matrix_pointers(weights.weight_hh),
            projection=matrix_pointers(weights.weight_hr),
            bias=weights.bias.data_ptr(),
            inputs=inputs.data_ptr(),
            hidden=hidden.data_ptr(),
            cell=cell.data_ptr(),
            outputs=outputs.data_ptr(),
            gates=gates,
            cells=cells,
        )

    def run(self) -> None:
        """
        Computes the outputs, and overwrites the state with the last one.

        # Raises

        `ConfigurationError`
            If the batch sizes grow, exceed the rows or do not sum to the tokens.
        """
        if not self._kernels.run("lstm_forward", self._arguments):
            _, batch_sizes, *_ = self._tensors
            raise ConfigurationError(
                "Expected batch sizes that never grow, are at most "
                f"{self._arguments.num_rows}, the number of rows, and sum to "
                f"{self._arguments.num_tokens}, the number of tokens, got {batch_sizes.tolist()}."
            )


def kernel_lstm(
    kernels: Kernels,
    inputs: torch.Tensor,
    batch_sizes: torch.Tensor,
    state: State,
    weights: TiledLstm,
    cell_clip: Optional[float],
    proj_clip: Optional[float],
) -> Tuple[torch.Tensor, State]:
    """
    Runs a layer in one direction, without gradients.

    # Parameters

    kernels : `Kernels`
        Kernels that run.
    inputs : `torch.Tensor`
        Tokens of shape (tokens, projection_dim), float32, in time-major order: timestep by
        timestep, longest row first.
    batch_sizes : `torch.Tensor`
        Number of rows at each timestep, which never grows: shape (timesteps,), int64, on the CPU.
    state : `Tuple[torch.Tensor, torch.Tensor]`
        Hidden state of shape (rows, projection_dim) and cell of shape (rows, cell_size), both
        float32, longest row first.
    weights : `TiledLstm`
        Weights in any precision.
    cell_clip, proj_clip : `Optional[float]`
        Bounds of the cell and of the projected output; `None` for no bound.

    # Returns

    `Tuple[torch.Tensor, Tuple[torch.Tensor, torch.Tensor]]`
        Outputs of shape (tokens, projection_dim) and the state after each row's last timestep, in
        the shapes of `state`, all float32.

    # Raises

    `ConfigurationError`
        If the shapes or dtypes do not fit each other.
    """
    inputs = inputs.contiguous()
    outputs, last = torch.empty_like(inputs), _copy(state)
    clips = (cell_clip, proj_clip)
    PreparedLstm(kernels, inputs, batch_sizes, last, weights, clips, outputs).run()
    return outputs, last


def kernel_lstm_with_gradients(
    kernels: Kernels,
    inputs: torch.Tensor,
    batch_sizes: torch.Tensor,
    state: State,
    weights: Tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor],
    cell_clip: Optional[float],
    proj_clip: Optional[float],
) -> Tuple[torch.Tensor, State]:
    """
    Runs a layer in one direction like `kernel_lstm`, in float32.

    The inputs, the state and the weights get gradients of first order.

    # Parameters

    kernels, inputs, batch_sizes, state, cell_clip, proj_clip :
        See `kernel_lstm`.
    weights : `Tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]`
        `weight_ih` and `weight_hh` of shape (4 * cell_size, projection_dim), `weight_hr` of shape
        (projection_dim, cell_size) and `bias` of shape (4 * cell_size,), all float32.

    # Returns

    `Tuple[torch.Tensor, Tuple[torch.Tensor, torch.Tensor]]`
        See `kernel_lstm`.
    """
    outputs, hidden, cell = _LstmFunction.apply(
        inputs, *state, *weights, batch_sizes, kernels, (cell_clip, proj_clip)
    )
    return outputs, (hidden, cell)


class _LstmFunction(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        inputs: torch.Tensor,
        first_hidden: torch.Tensor,
        first_cell: torch.Tensor,
        weight_ih: torch.Tensor,
        weight_hh: torch.Tensor,
        weight_hr: torch.Tensor,
        bias: torch.Tensor,
        batch_sizes: torch.Tensor,
        kernels: Kernels,
        clips: Clips,
    ) -> Tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        tiled = TiledLstm(
            tile_matrix(weight_ih, is_gates=True),
            tile_matrix(weight_hh, is_gates=True),
            tile_matrix(weight_hr),
            tile_vector(bias, is_gates=True),
        )
        inputs = inputs.contiguous()
        outputs, last = torch.empty_like(inputs), _copy((first_hidden, first_cell))
        gates = inputs.new_empty(len(inputs), len(bias))
        cells = inputs.new_empty(len(inputs), len(bias) // 4)
        saved = (gates, cells)
        PreparedLstm(kernels, inputs, batch_sizes, last, tiled, clips, outputs, saved).run()
        ctx.save_for_backward(
            *(inputs, first_hidden, first_cell, weight_ih, weight_hh, weight_hr, batch_sizes),
            *(outputs, gates, cells),
        )
        ctx.kernels, ctx.clips = kernels, clips
        return (outputs, *last)

    @staticmethod
    def backward(
        ctx: Any, grad_outputs: torch.Tensor, grad_hidden: torch.Tensor, grad_cell: torch.Tensor
    ) -> Tuple[Optional[torch.Tensor], ...]:
        refuse_second_order()
        inputs, first_hidden, _, weight_ih, *_, batch_sizes, outputs, _, _ = ctx.saved_tensors
        # The kernel adds to these.
        grad_outputs, grad_hidden, grad_cell = copy_gradients(grad_outputs, grad_hidden, grad_cell)
        grad_gates, projected = _run_backward(ctx, grad_outputs, grad_hidden, grad_cell)
        # Now `grad_outputs` includes what comes through the recurrence. Each weight's gradient is
        # one product over all tokens.
        needs = ctx.needs_input_grad
        gradients: List[Optional[torch.Tensor]] = [
            grad_gates.mm(weight_ih) if needs[0] else None,
            grad_hidden,
            grad_cell,
            None,
            None,
            grad_outputs.t().mm(projected) if needs[5] else None,
            grad_gates.sum(dim=0) if needs[6] else None,
        ]
        if needs[3] or needs[4]:
            previous = hidden_before_each_token(first_hidden, outputs, batch_sizes)
            read = torch.cat([inputs, previous], dim=1)
            gradients[3:5] = grad_gates.t().mm(read).split(inputs.size(1), dim=1)
        return (*gradients, None, None, None)


def _copy(state: State) -> State:
    hidden, cell = state
    return (
        hidden.clone(memory_format=torch.contiguous_format),
        cell.clone(memory_format=torch.contiguous_format),
    )


def _run_backward(
    ctx: Any, grad_outputs: torch.Tensor, grad_hidden: torch.Tensor, grad_cell: torch.Tensor
) -> Tuple[torch.Tensor, torch.Tensor]:
    """
    Returns the gradients of the gates, and the vectors before the projection.

    The kernel overwrites the given gradients.
    """
    (*_, first_cell, _, weight_hh, weight_hr, batch_sizes, outputs, gates, cells) = (
        ctx.saved_tensors
    )
    grad_gates, projected = torch.empty_like(gates), torch.empty_like(cells)
    first_cell, batch_sizes = first_cell.contiguous(), batch_sizes.contiguous()
    # The kernel goes from outputs to inputs, so it reads the matrices transposed.
    recurrent, projection = tile_matrix(weight_hh.t()), tile_matrix(weight_hr.t())
    arguments = LstmBackwardArguments(
        num_timesteps=len(batch_sizes),
        num_tokens=len(outputs),
        num_rows=len(first_cell),
        projection_dim=outputs.size(1),
        cell_size=cells.size(1),
        batch_sizes=batch_sizes.data_ptr(),
        cell_clip=_limit(ctx.clips[0]),
        proj_clip=_limit(ctx.clips[1]),
        recurrent=matrix_pointers(recurrent),
        projection=matrix_pointers(projection),
        first_cell=first_cell.data_ptr(),
        outputs=outputs.data_ptr(),
        gates=gates.data_ptr(),
        cells=cells.data_ptr(),
        grad_gates=grad_gates.data_ptr(),
        projected=projected.data_ptr(),
        grad_outputs=grad_outputs.data_ptr(),
        grad_hidden=grad_hidden.data_ptr(),
        grad_cell=grad_cell.data_ptr(),
    )
    if not ctx.kernels.run("lstm_backward", arguments):
        raise RuntimeError(f"The batch sizes became {batch_sizes.tolist()} after the forward pass.")
    return grad_gates, projected


def _check_shapes(
    inputs: torch.Tensor,
    batch_sizes: torch.Tensor,
    hidden: torch.Tensor,
    cell: torch.Tensor,
    weights: TiledLstm,
    outputs: torch.Tensor,
) -> None:
    """Raises an error if the kernel would leave the memory of one of these tensors."""
    projection_dim, cell_size = weights.weight_hr.rows, weights.weight_hh.rows // 4
    num_tokens, num_rows = inputs.size(0), hidden.size(0)
    expected = (num_tokens, projection_dim, num_rows, projection_dim, num_rows, cell_size)
    if (
        (*inputs.shape, *hidden.shape, *cell.shape) != expected
        or not inputs.dtype == hidden.dtype == cell.dtype == torch.float32
        or batch_sizes.dtype != torch.int64
        or batch_sizes.device.type != "cpu"
    ):
        raise ConfigurationError(
            f"Expected float32 inputs of shape (tokens, {projection_dim}), a float32 state of "
            f"shapes (rows, {projection_dim}) and (rows, {cell_size}), and int64 batch sizes on "
            f"the CPU, got shapes {tuple(inputs.shape)}, {tuple(hidden.shape)} and "
            f"{tuple(cell.shape)} and dtypes {inputs.dtype}, {hidden.dtype}, {cell.dtype} and "
            f"{batch_sizes.dtype} on '{batch_sizes.device}'."
        )
    if (
        outputs.shape != inputs.shape
        or outputs.dtype != torch.float32
        or not outputs.is_contiguous()
    ):
        raise ConfigurationError(
            f"Expected contiguous float32 'outputs' of shape {tuple(inputs.shape)}, got shape "
            f"{tuple(outputs.shape)}, strides {outputs.stride()} and dtype {outputs.dtype}."
        )


def _limit(clip: Optional[float]) -> float:
    return inf if clip is None else clip
