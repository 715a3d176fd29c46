"""
LSTMs with projection, step by step in PyTorch: what the kernels are tested against, and what runs
where there are none.
"""

from typing import List, NamedTuple, Optional, Sequence, Tuple

import torch

from allennlp_elmo_plugin.kernels import round_activations

__all__ = ["PlainWeights", "State", "plain_lstm"]

State = Tuple[torch.Tensor, torch.Tensor]


class PlainWeights(NamedTuple):
    """
    One layer's weights in each direction.

    # Parameters

    weight_ih, weight_hh : `torch.Tensor`
        Shape (directions, 4 * cell_size, projection_dim), float.
    bias : `torch.Tensor`
        Shape (directions, 4 * cell_size), float.
    weight_hr : `Optional[torch.Tensor]`
        Shape (directions, projection_dim, cell_size), float. `None` for no projection.
    precision : `str`
        What the weights are rounded to, and activations have to be.
    """

    weight_ih: torch.Tensor
    weight_hh: torch.Tensor
    bias: torch.Tensor
    weight_hr: Optional[torch.Tensor]
    precision: str


def plain_lstm(
    inputs: torch.Tensor,
    batch_sizes: Sequence[int],
    state: State,
    weights: PlainWeights,
    cell_clip: Optional[float],
    proj_clip: Optional[float],
) -> Tuple[torch.Tensor, State]:
    """
    All directions step by step together, so that an accelerator is given half as many things to
    do, and never has to wait for the host.

    # Parameters

    inputs : `torch.Tensor`
        Shape (directions, tokens, projection_dim), float: the tokens in the order of a `Packing`.
    batch_sizes : `Sequence[int]`
        The number of tokens of each step.
    state : `Tuple[torch.Tensor, torch.Tensor]`
        The hidden state, of shape (directions, rows, projection_dim), and the cell, of shape
        (directions, rows, cell_size), longest row first.
    weights : `PlainWeights`
        The weights.
    cell_clip, proj_clip : `Optional[float]`
        The bounds of the cell and of what was projected.

    # Returns

    `Tuple[torch.Tensor, Tuple[torch.Tensor, torch.Tensor]]`
        The outputs, of shape (directions, tokens, projection_dim), and the state after each row's
        last step.
    """

    def product(vectors: torch.Tensor, matrices: torch.Tensor) -> torch.Tensor:
        rounded = round_activations(vectors, weights.precision)
        return torch.matmul(rounded, matrices.transpose(1, 2))

    hidden, cell = state
    outputs: List[torch.Tensor] = []
    finished: List[State] = []
    projected_inputs = product(inputs, weights.weight_ih) + weights.bias.unsqueeze(1)
    for projected_input in projected_inputs.split(list(batch_sizes), dim=1):
        alive = projected_input.size(1)
        if alive < hidden.size(1):
            finished.append((hidden[:, alive:], cell[:, alive:]))
            hidden, cell = hidden[:, :alive], cell[:, :alive]
        gates = projected_input + product(hidden, weights.weight_hh)
        i, f, g, o = gates.chunk(4, dim=-1)
        cell = torch.sigmoid(i) * torch.tanh(g) + torch.sigmoid(f) * cell
        if cell_clip is not None:
            cell = cell.clamp(-cell_clip, cell_clip)
        hidden = torch.sigmoid(o) * torch.tanh(cell)
        if weights.weight_hr is not None:
            hidden = product(hidden, weights.weight_hr)
            # Like TensorFlow's cell, clip only what was projected.
            if proj_clip is not None:
                hidden = hidden.clamp(-proj_clip, proj_clip)
        outputs.append(hidden)
    finished.append((hidden, cell))
    last_hidden, last_cell = zip(*reversed(finished))
    return (
        torch.cat(outputs, dim=1) if outputs else inputs,
        (torch.cat(last_hidden, dim=1), torch.cat(last_cell, dim=1)),
    )
