"""
The two stacks of LSTMs with projection of a biLM.
"""

from typing import List, NamedTuple, Optional, Tuple, cast

import torch

from allennlp_elmo_plugin.kernels import Kernels
from allennlp_elmo_plugin.network.dropout import fast_dropout
from allennlp_elmo_plugin.network.options import ElmoOptions
from allennlp_elmo_plugin.network.plain_lstm import State
from allennlp_elmo_plugin.network.projected_lstm import ProjectedLstm, run_together
from allennlp_elmo_plugin.network.reduced_precision import needs_gradients
from allennlp_elmo_plugin.network.time_major import TimeMajorLayout

__all__ = ["BidirectionalLstm", "LstmState"]

DIRECTIONS = ("forward", "backward")


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
        # The names and the order of AllenNLP's `ElmoLstm`: optimizers' checkpoints go by the order.
        for k in range(options.num_layers):
            for direction in DIRECTIONS:
                self.add_module(f"{direction}_layer_{k}", ProjectedLstm(options))

    @property
    def layers(self) -> List[Tuple[ProjectedLstm, ProjectedLstm]]:
        """The LSTMs of each layer, the forward one first."""
        lstms = [cast(ProjectedLstm, lstm) for lstm in self._modules.values()]
        return list(zip(lstms[::2], lstms[1::2]))

    def zero_state(self, batch_size: int) -> LstmState:
        """
        Returns a state of zeros, on the device and in the dtype of the weights.

        # Parameters

        batch_size : `int`
            The number of rows.

        # Returns

        `LstmState`
        """
        weight = self.layers[0][0].bias
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
            num_layers = self.options.num_layers
        kernels = self.layers[0][0].kernels_for(inputs[0])
        start = state.select_rows(layout.row_order)
        if kernels is None or dropout or needs_gradients(self, inputs, *start):
            outputs, end = self._run(kernels, inputs, layout, start, num_layers, dropout)
        else:
            outputs, end = self._run_prepared(kernels, inputs, layout, start, num_layers)
        return outputs, end.select_rows(layout.row_ranks)

    def _is_residual(self, k: int) -> bool:
        return k > 0 and self.options.use_skip_connections

    def _run(
        self,
        kernels: Optional[Kernels],
        inputs: torch.Tensor,
        layout: TimeMajorLayout,
        state: LstmState,
        num_layers: int,
        dropout: float,
    ) -> Tuple[List[torch.Tensor], LstmState]:
        """Runs layer by layer, with gradients where they are needed."""
        all_outputs: List[torch.Tensor] = []
        hidden, cell = (list(part.unbind(dim=1)) for part in state)
        for k in range(num_layers):
            inputs = fast_dropout(inputs, dropout)
            outputs, (hidden[k], cell[k]) = self._run_layer(
                kernels, k, inputs, layout.batch_sizes, (hidden[k], cell[k])
            )
            inputs = outputs + inputs if self._is_residual(k) else outputs
            all_outputs.append(inputs)
        return all_outputs, LstmState(torch.stack(hidden, dim=1), torch.stack(cell, dim=1))

    def _run_layer(
        self,
        kernels: Optional[Kernels],
        k: int,
        inputs: torch.Tensor,
        batch_sizes: torch.Tensor,
        state: State,
    ) -> Tuple[torch.Tensor, State]:
        """Runs one layer; inputs, outputs and states have a first dimension of 2 directions."""
        lstms = self.layers[k]
        if kernels is None:
            return run_together(lstms, inputs, batch_sizes, state)
        runs = [
            lstm.run_on_kernels(kernels, its_inputs, batch_sizes, (hidden, cell))
            for lstm, its_inputs, hidden, cell in zip(lstms, inputs, *state)
        ]
        outputs, states = zip(*runs)
        last_hidden, last_cell = zip(*states)
        return torch.stack(outputs), (torch.stack(last_hidden), torch.stack(last_cell))

    def _run_prepared(
        self,
        kernels: Kernels,
        inputs: torch.Tensor,
        layout: TimeMajorLayout,
        state: LstmState,
        num_layers: int,
    ) -> Tuple[List[torch.Tensor], LstmState]:
        """Prepares all layers, then runs them without gradients; overwrites the state."""
        # Under autocast the inputs may be of another dtype.
        inputs, state = inputs.float().contiguous(), LstmState(*(part.float() for part in state))
        all_outputs = [torch.empty_like(inputs) for _ in range(num_layers)]
        # Views of one direction and layer each; unbinding makes several at once.
        read, written = inputs.unbind(), [outputs.unbind() for outputs in all_outputs]
        hidden, cell = ([part.unbind() for part in parts.unbind()] for parts in state)
        prepared = [
            [
                lstm.prepare(
                    kernels,
                    read_by_layer[direction],
                    layout.batch_sizes,
                    (hidden[direction][k], cell[direction][k]),
                    written[k][direction],
                )
                for direction, lstm in enumerate(layer)
            ]
            for k, (layer, read_by_layer) in enumerate(
                zip(self.layers, [read, *written][:num_layers])
            )
        ]
        for k, (outputs, layer) in enumerate(zip(all_outputs, prepared)):
            for direction in layer:
                direction.run()
            if self._is_residual(k):
                outputs += all_outputs[k - 1]
        return all_outputs, state
