"""
The plain LSTM with projection, one timestep after the other in PyTorch.

The kernels are tested against it, and it runs where they cannot.
"""

from typing import List, NamedTuple, Optional, Tuple

import torch

from allennlp_elmo_plugin.kernels import round_activations

__all__ = ["PlainWeights", "State", "plain_lstm"]

State = Tuple[torch.Tensor, torch.Tensor]


class PlainWeights(NamedTuple):
    """
    The weights of one layer in each direction.

    # Parameters

    weight_ih, weight_hh : `torch.Tensor`
        Shape (directions, 4 * cell_size, projection_dim), float. Gates in the order i, f, g, o.
    bias : `torch.Tensor`
        Shape (directions, 4 * cell_size), float.
    weight_hr : `Optional[torch.Tensor]`
        Shape (directions, projection_dim, cell_size), float. `None` for no projection.
    precision : `str`
        The precision of the weights, to which activations are rounded before each product.
    """

    weight_ih: torch.Tensor
    weight_hh: torch.Tensor
    bias: torch.Tensor
    weight_hr: Optional[torch.Tensor]
    precision: str


def plain_lstm(
    inputs: torch.Tensor,
    batch_sizes: torch.Tensor,
    state: State,
    weights: PlainWeights,
    cell_clip: Optional[float],
    proj_clip: Optional[float],
) -> Tuple[torch.Tensor, State]:
    """
    Runs one layer in all directions together.

    An accelerator then gets half as many operations. The loop never waits for the device.

    # Parameters

    inputs : `torch.Tensor`
        Shape (directions, tokens, projection_dim), float: time-major tokens.
    batch_sizes : `torch.Tensor`
        Shape (timesteps,), int64, on the CPU: the number of live rows at each timestep.
    state : `Tuple[torch.Tensor, torch.Tensor]`
        The hidden state, of shape (directions, rows, projection_dim), and the cell, of shape
        (directions, rows, cell_size), longest row first.
    weights : `PlainWeights`
        The weights of the layer.
    cell_clip, proj_clip : `Optional[float]`
        Bounds of the cell's and the projected output's absolute values. `None` is off.

    # Returns

    `Tuple[torch.Tensor, Tuple[torch.Tensor, torch.Tensor]]`
        The outputs, of shape (directions, tokens, projection_dim), and the state after each row's
        last timestep.
    """

    def product(vectors: torch.Tensor, matrices: torch.Tensor) -> torch.Tensor:
        rounded = round_activations(vectors, weights.precision)
        return torch.matmul(rounded, matrices.transpose(1, 2))

    hidden, cell = state
    outputs: List[torch.Tensor] = []
    finished: List[State] = []
    projected_inputs = product(inputs, weights.weight_ih) + weights.bias.unsqueeze(1)
    for projected_input in projected_inputs.split(batch_sizes.tolist(), dim=1):
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
            # Like TensorFlow's cell, clip only projected outputs.
            if proj_clip is not None:
                hidden = hidden.clamp(-proj_clip, proj_clip)
        outputs.append(hidden)
    finished.append((hidden, cell))
    last_hidden, last_cell = zip(*reversed(finished))
    return (
        torch.cat(outputs, dim=1) if outputs else inputs,
        (torch.cat(last_hidden, dim=1), torch.cat(last_cell, dim=1)),
    )
