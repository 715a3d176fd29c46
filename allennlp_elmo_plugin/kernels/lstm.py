"""
One layer of LSTM with projection in one direction, on the compiled kernels.
"""

from math import inf
from typing import Any, List, NamedTuple, Optional, Sequence, Tuple

import torch

from allennlp_elmo_plugin.kernels.abi import LstmBackwardArguments, LstmForwardArguments, pointers
from allennlp_elmo_plugin.kernels.dispatch import Kernels
from allennlp_elmo_plugin.kernels.tiling import PRECISIONS, TiledMatrix, tile_matrix, tile_vector

__all__ = ["TiledLstm", "kernel_lstm", "kernel_lstm_with_gradients"]

State = Tuple[torch.Tensor, torch.Tensor]


class TiledLstm(NamedTuple):
    """
    The weights of a layer in one direction, as the kernels read them, all in one precision.

    # Parameters

    weight_ih : `TiledMatrix`
        4 * cell_size rows, which are gates, and projection_dim columns.
    weight_hh : `TiledMatrix`
        The same shape.
    weight_hr : `TiledMatrix`
        projection_dim rows and cell_size columns.
    bias : `torch.Tensor`
        Shape (4 * cell_size,), float32, in the order of the panels.
    """

    weight_ih: TiledMatrix
    weight_hh: TiledMatrix
    weight_hr: TiledMatrix
    bias: torch.Tensor


def kernel_lstm(
    kernels: Kernels,
    inputs: torch.Tensor,
    batch_sizes: Sequence[int],
    state: State,
    weights: TiledLstm,
    cell_clip: Optional[float],
    proj_clip: Optional[float],
) -> Tuple[torch.Tensor, State]:
    """
    Without gradients.

    # Parameters

    kernels : `Kernels`
        Which kernels run.
    inputs : `torch.Tensor`
        Shape (tokens, projection_dim), float32: the tokens step by step, longest row first.
    batch_sizes : `Sequence[int]`
        The number of tokens of each step.
    state : `Tuple[torch.Tensor, torch.Tensor]`
        The hidden state, of shape (rows, projection_dim), and the cell, of shape
        (rows, cell_size), float32, longest row first.
    weights : `TiledLstm`
        The weights, in any precision.
    cell_clip, proj_clip : `Optional[float]`
        The bounds of the cell and of what was projected.

    # Returns

    `Tuple[torch.Tensor, Tuple[torch.Tensor, torch.Tensor]]`
        The outputs, of shape (tokens, projection_dim), and the state after each row's last step.
    """
    hidden, cell = (part.contiguous().clone() for part in state)
    outputs = _run_forward(
        kernels, inputs, batch_sizes, (hidden, cell), weights, cell_clip, proj_clip, None
    )
    return outputs, (hidden, cell)


def kernel_lstm_with_gradients(
    kernels: Kernels,
    inputs: torch.Tensor,
    batch_sizes: Sequence[int],
    state: State,
    weights: Tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor],
    cell_clip: Optional[float],
    proj_clip: Optional[float],
) -> Tuple[torch.Tensor, State]:
    """
    Like `kernel_lstm`, in float32, with gradients of first order for the inputs, the state and
    the weights.

    # Parameters

    weights : `Tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]`
        `weight_ih`, `weight_hh`, `weight_hr` and `bias`, float32, as parameters hold them.
    """
    outputs, hidden, cell = _LstmFunction.apply(
        inputs, *state, *weights, kernels, list(batch_sizes), cell_clip, proj_clip
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
        kernels: Kernels,
        batch_sizes: List[int],
        cell_clip: Optional[float],
        proj_clip: Optional[float],
    ) -> Tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        packed = TiledLstm(
            tile_matrix(weight_ih, is_gates=True),
            tile_matrix(weight_hh, is_gates=True),
            tile_matrix(weight_hr),
            tile_vector(bias, is_gates=True),
        )
        hidden, cell = first_hidden.contiguous().clone(), first_cell.contiguous().clone()
        saved = (
            inputs.new_empty(len(inputs), len(bias)),
            inputs.new_empty(len(inputs), len(bias) // 4),
        )
        outputs = _run_forward(
            kernels, inputs, batch_sizes, (hidden, cell), packed, cell_clip, proj_clip, saved
        )
        ctx.save_for_backward(
            inputs, first_hidden, first_cell, weight_ih, weight_hh, weight_hr, outputs, *saved
        )
        ctx.kernels, ctx.batch_sizes = kernels, batch_sizes
        ctx.cell_clip, ctx.proj_clip = cell_clip, proj_clip
        return outputs, hidden, cell

    @staticmethod
    def backward(
        ctx: Any, grad_outputs: torch.Tensor, grad_hidden: torch.Tensor, grad_cell: torch.Tensor
    ) -> Tuple[Optional[torch.Tensor], ...]:
        # Grad mode is on where these gradients are to have gradients of their own.
        if torch.is_grad_enabled():
            raise RuntimeError(
                "The kernels give gradients of first order only. For 'create_graph', choose plain "
                "PyTorch: `with allennlp_elmo_plugin.kernels.use_kernels('plain')`."
            )
        (
            inputs,
            first_hidden,
            first_cell,
            weight_ih,
            weight_hh,
            weight_hr,
            outputs,
            gates,
            cells,
        ) = ctx.saved_tensors
        grad_gates, projected = torch.empty_like(gates), torch.empty_like(cells)
        # The kernel writes over these, which are not its own.
        grad_outputs, grad_hidden, grad_cell = (
            gradient.to(torch.float32).contiguous().clone()
            for gradient in (grad_outputs, grad_hidden, grad_cell)
        )
        first_cell = first_cell.contiguous()
        # The kernel reads the matrices the other way round: from what they gave to what they took.
        recurrent, projection = tile_matrix(weight_hh.t()), tile_matrix(weight_hr.t())
        sizes = torch.tensor(ctx.batch_sizes)
        ctx.kernels.run(
            "lstm_backward",
            LstmBackwardArguments(
                num_steps=len(sizes),
                num_rows=len(first_cell),
                projection_dim=inputs.size(1),
                cell_size=cells.size(1),
                batch_sizes=sizes.data_ptr(),
                cell_clip=_limit(ctx.cell_clip),
                proj_clip=_limit(ctx.proj_clip),
                recurrent=pointers(recurrent),
                projection=pointers(projection),
                first_cell=first_cell.data_ptr(),
                outputs=outputs.data_ptr(),
                gates=gates.data_ptr(),
                cells=cells.data_ptr(),
                grad_gates=grad_gates.data_ptr(),
                projected=projected.data_ptr(),
                grad_outputs=grad_outputs.data_ptr(),
                grad_hidden=grad_hidden.data_ptr(),
                grad_cell=grad_cell.data_ptr(),
            ),
        )
        del recurrent, projection
        # Now `grad_outputs` has the recurrence's share too. Each weight's gradient is one product
        # over all tokens.
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
            before = _hidden_before_each_token(first_hidden, outputs, ctx.batch_sizes)
            read = torch.cat([inputs, before], dim=1)
            gradients[3:5] = grad_gates.t().mm(read).split(inputs.size(1), dim=1)
        return (*gradients, None, None, None, None)


def _hidden_before_each_token(
    first_hidden: torch.Tensor, outputs: torch.Tensor, batch_sizes: List[int]
) -> torch.Tensor:
    steps = [first_hidden, *outputs.split(batch_sizes)]
    return torch.cat([before[:alive] for before, alive in zip(steps, batch_sizes)])


def _run_forward(
    kernels: Kernels,
    inputs: torch.Tensor,
    batch_sizes: Sequence[int],
    state: State,
    weights: TiledLstm,
    cell_clip: Optional[float],
    proj_clip: Optional[float],
    saved: Optional[Tuple[torch.Tensor, torch.Tensor]],
) -> torch.Tensor:
    """Gives the outputs; writes the last state over `state`, and the gates and cells to `saved`."""
    hidden, cell = state
    rows, size = hidden.shape
    # The kernels write where these say.
    if (
        inputs.shape != (sum(batch_sizes), size)
        or len(cell) != rows
        or max(batch_sizes, default=0) > rows
    ):
        raise RuntimeError(
            f"Expected inputs of shape (tokens, {size}) and steps of at most {rows} rows that have "
            f"all tokens, got inputs of shape {tuple(inputs.shape)}, a cell of shape "
            f"{tuple(cell.shape)} and steps of {list(batch_sizes)} rows."
        )
    inputs = inputs.contiguous()
    outputs = torch.empty_like(inputs)
    sizes = torch.tensor(batch_sizes, dtype=torch.int64)
    gates, cells = (part.data_ptr() for part in saved) if saved is not None else (None, None)
    kernels.run(
        "lstm_forward",
        LstmForwardArguments(
            precision=PRECISIONS.index(weights.weight_hh.precision),
            num_steps=len(sizes),
            num_rows=len(hidden),
            projection_dim=hidden.size(1),
            cell_size=cell.size(1),
            batch_sizes=sizes.data_ptr(),
            cell_clip=_limit(cell_clip),
            proj_clip=_limit(proj_clip),
            input=pointers(weights.weight_ih),
            recurrent=pointers(weights.weight_hh),
            projection=pointers(weights.weight_hr),
            bias=weights.bias.data_ptr(),
            inputs=inputs.data_ptr(),
            hidden=hidden.data_ptr(),
            cell=cell.data_ptr(),
            outputs=outputs.data_ptr(),
            gates=gates,
            cells=cells,
        ),
    )
    return outputs


def _limit(clip: Optional[float]) -> float:
    return inf if clip is None else clip
