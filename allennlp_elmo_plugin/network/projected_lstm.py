"""
One layer of LSTM with projection (LSTMP; Sak et al., 2014), in one direction.
"""

from math import sqrt
from typing import Optional, Sequence, Tuple

import torch

from allennlp_elmo_plugin.kernels import (
    Kernels,
    TiledLstm,
    kernel_lstm,
    kernel_lstm_with_gradients,
)
from allennlp_elmo_plugin.network.options import ElmoOptions
from allennlp_elmo_plugin.network.packable import Packable
from allennlp_elmo_plugin.network.plain_lstm import PlainWeights, State, plain_lstm

__all__ = ["ProjectedLstm", "run_plainly"]


class ProjectedLstm(Packable):
    """
    One layer of LSTM with projection, in one direction:

    `c = clip(i * g + f * c_prev)` and `h = clip(W_hr (o * tanh(c)))`.

    Gates are in PyTorch's order i, f, g, o. The parameters are `weight_ih` (4 * cell_size,
    projection_dim), `weight_hh` (4 * cell_size, projection_dim), `bias` (4 * cell_size,) and
    `weight_hr` (projection_dim, cell_size), random until some are loaded.

    # Parameters

    options : `ElmoOptions`
        The shape of the biLM.
    """

    def __init__(self, options: ElmoOptions) -> None:
        super().__init__()
        cell, hidden = options.cell_size, options.projection_dim
        self.cell_clip = options.cell_clip
        self.proj_clip = options.proj_clip
        self.weight_ih = torch.nn.Parameter(torch.empty(4 * cell, hidden))
        self.weight_hh = torch.nn.Parameter(torch.empty(4 * cell, hidden))
        self.bias = torch.nn.Parameter(torch.empty(4 * cell))
        self.matrices = {"weight_ih": True, "weight_hh": True}
        self.has_projection = options.state_projection
        if self.has_projection:
            self.weight_hr = torch.nn.Parameter(torch.empty(hidden, cell))
            self.matrices["weight_hr"] = False
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """
        Draws new weights, as bilm-tf does before it trains: uniform (Glorot and Bengio, 2010,
        over the matrix that TensorFlow keeps for input and state together), and biases that are 0
        but for the forget gate's, which is 1.
        """
        cell, hidden = len(self.bias) // 4, self.weight_hh.size(1)
        bound = sqrt(6 / (2 * hidden + 4 * cell))
        torch.nn.init.uniform_(self.weight_ih, -bound, bound)
        torch.nn.init.uniform_(self.weight_hh, -bound, bound)
        if self.has_projection:
            torch.nn.init.xavier_uniform_(self.weight_hr)
        torch.nn.init.zeros_(self.bias)
        with torch.no_grad():
            self.bias[cell : 2 * cell] = 1.0

    def forward(
        self,
        inputs: torch.Tensor,
        batch_sizes: Sequence[int],
        state: State,
    ) -> Tuple[torch.Tensor, State]:
        """
        # Parameters

        inputs : `torch.Tensor`
            Shape (tokens, projection_dim), float: the tokens in the order of a `Packing`.
        batch_sizes : `Sequence[int]`
            The number of tokens of each step.
        state : `Tuple[torch.Tensor, torch.Tensor]`
            The hidden state, of shape (rows, projection_dim), and the cell, of shape
            (rows, cell_size), longest row first. Rows that no step visits keep their state.

        # Returns

        `Tuple[torch.Tensor, Tuple[torch.Tensor, torch.Tensor]]`
            The outputs, of shape (tokens, projection_dim), and the state after each row's last
            step, in the shapes of `state`.
        """
        kernels = self.choose_kernels_for(inputs)
        if kernels is None:
            return self.run_plainly(inputs, batch_sizes, state)
        # Under autocast the inputs may be of another type.
        inputs, state = inputs.float(), (state[0].float(), state[1].float())
        if self.needs_gradients(inputs, *state):
            self.derived.clear()
            return kernel_lstm_with_gradients(
                kernels,
                inputs,
                batch_sizes,
                state,
                (self.weight_ih, self.weight_hh, self.weight_hr, self.bias),
                self.cell_clip,
                self.proj_clip,
            )
        weights = TiledLstm(
            weight_ih=self.packed_matrix("weight_ih"),
            weight_hh=self.packed_matrix("weight_hh"),
            weight_hr=self.packed_matrix("weight_hr"),
            bias=self.packed_vector("bias", is_gates=True),
        )
        return kernel_lstm(
            kernels, inputs, batch_sizes, state, weights, self.cell_clip, self.proj_clip
        )

    def choose_kernels_for(self, inputs: torch.Tensor) -> Optional[Kernels]:
        """The kernels that are to run these inputs, or `None` where PyTorch has to."""
        if not self.has_projection:
            return None
        return self.choose_kernels(self.bias, inputs, inputs.size(-1), len(self.bias) // 4)

    def run_plainly(
        self, inputs: torch.Tensor, batch_sizes: Sequence[int], state: State
    ) -> Tuple[torch.Tensor, State]:
        """The same as `forward`, without kernels."""
        hidden, cell = state
        outputs, (last_hidden, last_cell) = run_plainly(
            [self], inputs.unsqueeze(0), batch_sizes, (hidden.unsqueeze(0), cell.unsqueeze(0))
        )
        return outputs[0], (last_hidden[0], last_cell[0])


def run_plainly(
    lstms: Sequence[ProjectedLstm],
    inputs: torch.Tensor,
    batch_sizes: Sequence[int],
    state: State,
) -> Tuple[torch.Tensor, State]:
    """
    Runs a layer's directions together, without kernels.

    # Parameters

    lstms : `Sequence[ProjectedLstm]`
        One for each direction, of the same shape.
    inputs, batch_sizes, state :
        See `plain_lstm`.

    # Returns

    `Tuple[torch.Tensor, Tuple[torch.Tensor, torch.Tensor]]`
        See `plain_lstm`.
    """
    first = lstms[0]
    first.needs_gradients(inputs, *state)

    def stacked(name: str) -> torch.Tensor:
        return torch.stack([lstm.matrix(name) for lstm in lstms])

    weights = PlainWeights(
        weight_ih=stacked("weight_ih"),
        weight_hh=stacked("weight_hh"),
        bias=torch.stack([lstm.bias for lstm in lstms]),
        weight_hr=stacked("weight_hr") if first.has_projection else None,
        precision=first.precision,
    )
    return plain_lstm(inputs, batch_sizes, state, weights, first.cell_clip, first.proj_clip)
