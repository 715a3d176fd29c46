"""
The two stacks of LSTMs with projection (LSTMP; Sak et al., 2014) of a biLM.
"""

from math import sqrt
from typing import List, NamedTuple, Optional, Sequence, Tuple

import torch
from torch.nn.functional import linear

from allennlp_elmo_plugin.kernels import (
    PackedLstm,
    kernel_lstm,
    kernel_lstm_with_gradients,
    round_activations,
)
from allennlp_elmo_plugin.modules.packable import Packable
from allennlp_elmo_plugin.modules.packing import Packing, pack
from allennlp_elmo_plugin.options import ElmoOptions

__all__ = ["BidirectionalLstm", "LstmState", "ProjectedLstm"]

DIRECTIONS = ("forward_lstm", "backward_lstm")

State = Tuple[torch.Tensor, torch.Tensor]


class LstmState(NamedTuple):
    """
    The recurrent state of a `BidirectionalLstm`.

    # Parameters

    hidden : `torch.Tensor`
        Shape (2 directions, num_layers, batch, projection_dim), float. The output of the last
        step, projected and clipped, before the skip connection.
    cell : `torch.Tensor`
        Shape (2 directions, num_layers, batch, cell_size), float.
    """

    hidden: torch.Tensor
    cell: torch.Tensor


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
        kernels = self.choose_kernels(inputs, inputs.size(1), len(self.bias) // 4)
        if kernels is None or not self.has_projection:
            return self.run_plainly(inputs, batch_sizes, state)
        # Under autocast the inputs may be of another type.
        inputs, state = inputs.float(), (state[0].float(), state[1].float())
        if self.needs_gradients(inputs, *state):
            self.copies.clear()
            return kernel_lstm_with_gradients(
                kernels,
                inputs,
                batch_sizes,
                state,
                (self.weight_ih, self.weight_hh, self.weight_hr, self.bias),
                self.cell_clip,
                self.proj_clip,
            )
        weights = PackedLstm(
            weight_ih=self.packed_matrix("weight_ih"),
            weight_hh=self.packed_matrix("weight_hh"),
            weight_hr=self.packed_matrix("weight_hr"),
            bias=self.packed_vector("bias", is_gates=True),
        )
        return kernel_lstm(
            kernels, inputs, batch_sizes, state, weights, self.cell_clip, self.proj_clip
        )

    def run_plainly(
        self, inputs: torch.Tensor, batch_sizes: Sequence[int], state: State
    ) -> Tuple[torch.Tensor, State]:
        """
        The same as `forward`, step by step in PyTorch: what the kernels are tested against.
        """
        weight_ih, weight_hh = self.matrix("weight_ih"), self.matrix("weight_hh")
        weight_hr = self.matrix("weight_hr") if self.has_projection else None

        hidden, cell = state
        outputs: List[torch.Tensor] = []
        finished: List[State] = []
        projected_inputs = self._product(inputs, weight_ih, self.bias).split(list(batch_sizes))
        for projected_input in projected_inputs:
            alive = len(projected_input)
            if alive < len(hidden):
                finished.append((hidden[alive:], cell[alive:]))
                hidden, cell = hidden[:alive], cell[:alive]
            gates = projected_input + self._product(hidden, weight_hh)
            i, f, g, o = gates.chunk(4, dim=-1)
            cell = torch.sigmoid(i) * torch.tanh(g) + torch.sigmoid(f) * cell
            if self.cell_clip is not None:
                cell = cell.clamp(-self.cell_clip, self.cell_clip)
            hidden = torch.sigmoid(o) * torch.tanh(cell)
            if weight_hr is not None:
                hidden = self._product(hidden, weight_hr)
                # Like TensorFlow's cell, clip only what was projected.
                if self.proj_clip is not None:
                    hidden = hidden.clamp(-self.proj_clip, self.proj_clip)
            outputs.append(hidden)
        finished.append((hidden, cell))
        last_hidden, last_cell = zip(*reversed(finished))
        return (
            torch.cat(outputs) if outputs else inputs,
            (torch.cat(last_hidden), torch.cat(last_cell)),
        )

    def _product(
        self, inputs: torch.Tensor, matrix: torch.Tensor, bias: Optional[torch.Tensor] = None
    ) -> torch.Tensor:
        return linear(round_activations(inputs, self.precision), matrix, bias)


class BidirectionalLstm(torch.nn.Module):
    """
    A forward and a backward stack of LSTMs with projection. The two never mix: the second layer
    of each reads the first of its own direction. From the second layer on, a layer's input is
    added to its output (skip connection), but not to the state that it carries.

    # Parameters

    options : `ElmoOptions`
        The shape of the biLM. The weights are random until some are loaded.
    """

    def __init__(self, options: ElmoOptions) -> None:
        super().__init__()
        self.options = options
        # Layer by layer, as in AllenNLP's built-in: an optimizer's checkpoint goes by the order.
        self.layers = torch.nn.ModuleList(
            torch.nn.ModuleDict({name: ProjectedLstm(options) for name in DIRECTIONS})
            for _ in range(options.num_layers)
        )

    def zero_state(self, batch_size: int) -> LstmState:
        """
        # Parameters

        batch_size : `int`
            The number of rows.

        # Returns

        `LstmState`
            Zeros, on the device and in the type of the weights.
        """
        weight = next(self.parameters())
        shape = (len(DIRECTIONS), self.options.num_layers, batch_size)
        return LstmState(
            weight.new_zeros(*shape, self.options.projection_dim),
            weight.new_zeros(*shape, self.options.cell_size),
        )

    def forward(
        self, tokens: torch.Tensor, lengths: Sequence[int], state: LstmState
    ) -> Tuple[torch.Tensor, LstmState]:
        """
        # Parameters

        tokens : `torch.Tensor`
            Shape (batch, timesteps, projection_dim), float. What stands behind a row's length is
            not read.
        lengths : `Sequence[int]`
            The number of tokens in each row. A row of length 0 keeps its state.
        state : `LstmState`
            Where each row starts.

        # Returns

        `Tuple[torch.Tensor, LstmState]`
            The tokens and the outputs of all layers, of shape (num_layers + 1, batch, timesteps,
            2 * projection_dim), forward | backward (the tokens twice), exactly 0 behind a row's
            length; and the state after each row.
        """
        batch_size, timesteps, size = tokens.shape
        packing = pack(lengths, timesteps, tokens.device)
        original_rows = packing.rows.argsort()
        forward = tokens.reshape(-1, size).index_select(0, packing.positions)
        runs = [
            self._run(direction, inputs, packing, LstmState(*(part[direction] for part in state)))
            for direction, inputs in enumerate((forward, forward.index_select(0, packing.reversal)))
        ]
        layers = [forward, forward]
        for ahead, back in zip(runs[0][0], runs[1][0]):
            layers += [ahead, back.index_select(0, packing.reversal)]
        packed = torch.stack(layers, dim=1).flatten(start_dim=1)
        padded = packed.new_zeros(batch_size * timesteps, packed.size(1))
        padded = padded.index_copy(0, packing.positions, packed)
        return (
            padded.view(batch_size, timesteps, -1, 2 * size).permute(2, 0, 1, 3),
            LstmState(
                *(
                    torch.stack(parts).index_select(2, original_rows)
                    for parts in zip(*(state for _, state in runs))
                )
            ),
        )

    def _run(
        self, direction: int, inputs: torch.Tensor, packing: Packing, state: LstmState
    ) -> Tuple[List[torch.Tensor], LstmState]:
        """One direction over packed tokens: the outputs of each layer, and the packed state."""
        hidden, cell = (part.index_select(1, packing.rows) for part in state)
        layers, last_hidden, last_cell = [], [], []
        for k, layer in enumerate(self.layers):
            outputs, last = layer.get_submodule(DIRECTIONS[direction])(
                inputs, packing.batch_sizes, (hidden[k], cell[k])
            )
            inputs = outputs + inputs if k and self.options.use_skip_connections else outputs
            layers.append(inputs)
            last_hidden.append(last[0])
            last_cell.append(last[1])
        return layers, LstmState(torch.stack(last_hidden), torch.stack(last_cell))
