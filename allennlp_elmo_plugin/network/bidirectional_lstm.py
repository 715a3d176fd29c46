"""
The two stacks of LSTMs with projection of a biLM.
"""

from typing import List, NamedTuple, Optional, Sequence, Tuple, cast

import torch

from allennlp_elmo_plugin.network.dropout import dropout as drop
from allennlp_elmo_plugin.network.options import ElmoOptions
from allennlp_elmo_plugin.network.plain_lstm import State
from allennlp_elmo_plugin.network.projected_lstm import ProjectedLstm, run_plainly
from allennlp_elmo_plugin.network.time_major import pack

__all__ = ["BidirectionalLstm", "LstmState"]

DIRECTIONS = ("forward_lstm", "backward_lstm")


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
        self,
        tokens: torch.Tensor,
        lengths: Sequence[int],
        state: LstmState,
        num_layers: Optional[int] = None,
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
        num_layers : `int`, optional (default = `None`)
            How many layers to run, from the first; all of them by default. The others keep their
            state.

        # Returns

        `Tuple[torch.Tensor, LstmState]`
            The tokens and the outputs of the layers, of shape (num_layers + 1, batch, timesteps,
            2 * projection_dim), forward | backward (the tokens twice), exactly 0 behind a row's
            length; and the state after each row.
        """
        batch_size, timesteps, size = tokens.shape
        packing = pack(lengths, timesteps, tokens.device)
        original_rows = packing.rows.argsort()
        ahead = tokens.reshape(-1, size).index_select(0, packing.positions)
        inputs = torch.stack([ahead, ahead.index_select(0, packing.reversal)])
        start = LstmState(*(part.index_select(2, packing.rows) for part in state))
        outputs, end = self.run_in_reading_order(inputs, packing.batch_sizes, start, num_layers)
        layers = [ahead, ahead]
        for output in outputs:
            layers += [output[0], output[1].index_select(0, packing.reversal)]
        packed = torch.stack(layers, dim=1).flatten(start_dim=1)
        padded = packed.new_zeros(batch_size * timesteps, packed.size(1))
        padded = padded.index_copy(0, packing.positions, packed)
        return (
            padded.view(batch_size, timesteps, len(outputs) + 1, 2 * size).permute(2, 0, 1, 3),
            LstmState(*(part.index_select(2, original_rows) for part in end)),
        )

    def run_in_reading_order(
        self,
        inputs: torch.Tensor,
        batch_sizes: Sequence[int],
        state: LstmState,
        num_layers: Optional[int] = None,
        dropout: float = 0.0,
    ) -> Tuple[List[torch.Tensor], LstmState]:
        """
        The same on packed tokens, which each direction has in the order in which it reads them.
        They need not be the same tokens.

        # Parameters

        inputs : `torch.Tensor`
            Shape (2 directions, tokens, projection_dim), float: step by step, longest row first.
        batch_sizes : `Sequence[int]`
            The number of tokens of each step.
        state : `LstmState`
            Where each row starts, longest first.
        num_layers : `int`, optional (default = `None`)
            How many layers to run, from the first; all of them by default.
        dropout : `float`, optional (default = `0.0`)
            The probability with which each number that enters a layer, and with it the skip
            connection around that layer, is dropped, as in bilm-tf's training.

        # Returns

        `Tuple[List[torch.Tensor], LstmState]`
            The output of each layer that was run, in the shape of `inputs`; and the state after
            each row.
        """
        if num_layers is None:
            num_layers = len(self.layers)
        hidden, cell = state
        all_outputs, last_hidden, last_cell = [], [], []
        for k in range(num_layers):
            inputs = drop(inputs, dropout)
            outputs, last = self._run(k, inputs, batch_sizes, (hidden[:, k], cell[:, k]))
            inputs = outputs + inputs if k and self.options.use_skip_connections else outputs
            all_outputs.append(inputs)
            last_hidden.append(last[0])
            last_cell.append(last[1])
        last_hidden += hidden[:, num_layers:].unbind(dim=1)
        last_cell += cell[:, num_layers:].unbind(dim=1)
        return all_outputs, LstmState(
            torch.stack(last_hidden, dim=1), torch.stack(last_cell, dim=1)
        )

    def _run(
        self, k: int, inputs: torch.Tensor, batch_sizes: Sequence[int], state: State
    ) -> Tuple[torch.Tensor, State]:
        """One layer, with a leading dimension of 2 directions in all that comes and goes."""
        lstms = [cast(ProjectedLstm, self.layers[k].get_submodule(name)) for name in DIRECTIONS]
        if lstms[0].choose_kernels_for(inputs[0]) is None:
            return run_plainly(lstms, inputs, batch_sizes, state)
        runs = [
            lstm(inputs[direction], batch_sizes, (state[0][direction], state[1][direction]))
            for direction, lstm in enumerate(lstms)
        ]
        outputs, states = zip(*runs)
        last_hidden, last_cell = zip(*states)
        return torch.stack(outputs), (torch.stack(last_hidden), torch.stack(last_cell))
