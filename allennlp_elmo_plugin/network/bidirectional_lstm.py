"""
The two stacks of LSTMs with projection of a biLM.
"""

from typing import List, NamedTuple, Optional, Tuple, cast

import torch

from allennlp_elmo_plugin.kernels import Kernels
from allennlp_elmo_plugin.network.dropout import fast_dropout
from allennlp_elmo_plugin.network.options import ElmoOptions
from allennlp_elmo_plugin.network.plain_lstm import State
from allennlp_elmo_plugin.network.projected_lstm import ProjectedLstm, run_plainly
from allennlp_elmo_plugin.network.reduced_precision import needs_gradients
from allennlp_elmo_plugin.network.time_major import TimeMajorLayout

__all__ = ["BidirectionalLstm", "LstmState"]

DIRECTIONS = ("forward_lstm", "backward_lstm")


class LstmState(NamedTuple):
    """
    The recurrent state of a `BidirectionalLstm`.

    # Parameters

    hidden : `torch.Tensor`
        Shape (2 directions, num_layers, batch, projection_dim), float: the output of the last
        timestep, projected and clipped, before the skip connection.
    cell : `torch.Tensor`
        Shape (2 directions, num_layers, batch, cell_size), float.
    """

    hidden: torch.Tensor
    cell: torch.Tensor

    def select_rows(self, rows: torch.Tensor) -> "LstmState":
        """Returns the state of some rows of the batch, given by an int64 tensor."""
        return LstmState(self.hidden.index_select(2, rows), self.cell.index_select(2, rows))


class BidirectionalLstm(torch.nn.Module):
    """
    A forward and a backward stack of LSTMs with projection.

    The two never mix: the second layer of each reads the first of its own direction. From the
    second layer on, a layer's input is added to its output (skip connection), but not to the state
    that it carries.

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
        Returns a state of zeros, on the device and in the dtype of the weights.

        # Parameters

        batch_size : `int`
            The number of rows.

        # Returns

        `LstmState`
        """
        weight = self._layer(0)[0].bias
        shape = (len(DIRECTIONS), self.options.num_layers, batch_size)
        return LstmState(
            weight.new_zeros(*shape, self.options.projection_dim),
            weight.new_zeros(*shape, self.options.cell_size),
        )

    def forward(
        self,
        inputs: torch.Tensor,
        layout: TimeMajorLayout,
        state: LstmState,
        num_layers: Optional[int] = None,
        dropout: float = 0.0,
    ) -> Tuple[List[torch.Tensor], LstmState]:
        """
        Runs both directions, each over tokens in its own reading order.

        The directions need not read the same tokens.

        # Parameters

        inputs : `torch.Tensor`
            Shape (2 directions, tokens, projection_dim), float: time-major tokens.
        layout : `TimeMajorLayout`
            The time-major order of the batch.
        state : `LstmState`
            The state that each row starts from, in the order of the batch.
        num_layers : `int`, optional (default = `None`)
            The number of layers to run, from the first; all of them by default. The others keep
            their state.
        dropout : `float`, optional (default = `0.0`)
            Probability of dropping each element of a layer's input, and with it the skip
            connection around that layer, as in bilm-tf's training.

        # Returns

        `Tuple[List[torch.Tensor], LstmState]`
            The output of each layer that was run, in the shape of `inputs`; and the state after
            each row's last timestep. A row without tokens keeps its state.
        """
        if num_layers is None:
            num_layers = len(self.layers)
        kernels = self._layer(0)[0].kernels_for(inputs[0])
        hidden, cell = state.select_rows(layout.row_order)
        all_outputs: List[torch.Tensor] = []
        last_hidden, last_cell = list(hidden.unbind(dim=1)), list(cell.unbind(dim=1))
        for k in range(num_layers):
            inputs = fast_dropout(inputs, dropout)
            outputs, (last_hidden[k], last_cell[k]) = self._run_layer(
                kernels, k, inputs, layout.batch_sizes, (last_hidden[k], last_cell[k])
            )
            inputs = outputs + inputs if k and self.options.use_skip_connections else outputs
            all_outputs.append(inputs)
        end = LstmState(torch.stack(last_hidden, dim=1), torch.stack(last_cell, dim=1))
        return all_outputs, end.select_rows(layout.row_ranks)

    def _layer(self, k: int) -> List[ProjectedLstm]:
        layer = cast(torch.nn.ModuleDict, self.layers[k])
        return [cast(ProjectedLstm, layer[name]) for name in DIRECTIONS]

    def _run_layer(
        self,
        kernels: Optional[Kernels],
        k: int,
        inputs: torch.Tensor,
        batch_sizes: torch.Tensor,
        state: State,
    ) -> Tuple[torch.Tensor, State]:
        """Runs one layer; inputs, outputs and states have a first dimension of 2 directions."""
        lstms = self._layer(k)
        if kernels is None:
            return run_plainly(lstms, inputs, batch_sizes, state)
        # Autograd keeps the outputs of each direction, so they get memory of their own.
        differentiates = any(needs_gradients(lstm, inputs, *state) for lstm in lstms)
        out = None if differentiates else torch.empty(inputs.shape, dtype=torch.float32)
        runs = [
            lstm.run_on_kernels(
                kernels,
                inputs[direction],
                batch_sizes,
                (state[0][direction], state[1][direction]),
                None if out is None else out[direction],
            )
            for direction, lstm in enumerate(lstms)
        ]
        outputs, states = zip(*runs)
        last_hidden, last_cell = zip(*states)
        return (
            torch.stack(outputs) if out is None else out,
            (torch.stack(last_hidden), torch.stack(last_cell)),
        )
