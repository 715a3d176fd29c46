"""
One layer of LSTM with projection (LSTMP; Sak et al., 2014), in one direction.
"""

from math import sqrt
from typing import Optional, Sequence, Tuple

import torch

from allennlp_elmo_plugin.kernels import (
    Kernels,
    PreparedLstm,
    TiledLstm,
    kernel_lstm,
    kernel_lstm_with_gradients,
    kernels_for,
    tile_vector,
)
from allennlp_elmo_plugin.network.derived_cache import DerivedCache
from allennlp_elmo_plugin.network.linear_weights import LinearWeights
from allennlp_elmo_plugin.network.options import ElmoOptions
from allennlp_elmo_plugin.network.plain_lstm import PlainWeights, State, plain_lstm
from allennlp_elmo_plugin.network.reduced_precision import (
    as_float32,
    as_tiled,
    needs_gradients,
    reduce_matrix,
    refuse_gradients,
    stored_tensors,
)

__all__ = ["ProjectedLstm", "run_plainly"]


class ProjectedLstm(torch.nn.Module):
    """
    One layer of LSTM with projection, in one direction.

    It computes `c = clip(i * g + f * c_prev)` and `h = clip(W_hr (o * tanh(c)))`. Gates are in
    PyTorch's order i, f, g, o. The parameters are `input_linearity.weight`
    (4 * cell_size, projection_dim), `state_linearity.weight` (4 * cell_size, projection_dim),
    `state_linearity.bias` (4 * cell_size,) and `state_projection.weight`
    (projection_dim, cell_size), random until some are loaded.

    # Parameters

    options : `ElmoOptions`
        The shape of the biLM.
    """

    def __init__(self, options: ElmoOptions) -> None:
        super().__init__()
        cell, hidden = options.cell_size, options.projection_dim
        self.precision = "float32"
        self.cell_clip = options.cell_clip
        self.proj_clip = options.proj_clip
        # The names and the order of AllenNLP's `LstmCellWithProjection`.
        self.input_linearity = LinearWeights(hidden, 4 * cell, has_bias=False)
        self.state_linearity = LinearWeights(hidden, 4 * cell)
        self.has_projection = options.state_projection
        if self.has_projection:
            self.state_projection = LinearWeights(cell, hidden, has_bias=False)
        self.derived = DerivedCache()
        self.reset_parameters()

    # A `ReducedMatrix` in place of each parameter, if the precision is reduced.
    @property
    def weight_ih(self) -> torch.nn.Parameter:
        """The matrix from inputs to gates."""
        return self.input_linearity.weight

    @property
    def weight_hh(self) -> torch.nn.Parameter:
        """The matrix from the hidden state to gates."""
        return self.state_linearity.weight

    @property
    def bias(self) -> torch.nn.Parameter:
        """The bias of the gates."""
        return self.state_linearity.bias

    @property
    def weight_hr(self) -> torch.nn.Parameter:
        """The matrix from cells to the hidden state."""
        return self.state_projection.weight

    def reset_parameters(self) -> None:
        """
        Draws new weights, as bilm-tf does before training.

        They are uniform (Glorot and Bengio, 2010, over the matrix that TensorFlow has for input and
        state together). Biases are 0, those of the forget gate 1.
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

    def reduce_precision(self, precision: str) -> None:
        """
        Rounds and freezes the matrices.

        # Parameters

        precision : `str`
            `"bfloat16"` or `"int8"`.
        """
        reduce_matrix(self.input_linearity, "weight", precision, is_gates=True)
        reduce_matrix(self.state_linearity, "weight", precision, is_gates=True)
        if self.has_projection:
            reduce_matrix(self.state_projection, "weight", precision)
        self.precision = precision

    def kernels_for(self, inputs: torch.Tensor) -> Optional[Kernels]:
        """Returns the kernels that can run these inputs, or `None` if PyTorch has to."""
        if not self.has_projection:
            return None
        return kernels_for(self.bias, inputs, inputs.size(-1), len(self.bias) // 4)

    def forward(
        self, inputs: torch.Tensor, batch_sizes: torch.Tensor, state: State
    ) -> Tuple[torch.Tensor, State]:
        """
        Runs the layer.

        # Parameters

        inputs : `torch.Tensor`
            Shape (tokens, projection_dim), float: time-major tokens.
        batch_sizes : `torch.Tensor`
            Shape (timesteps,), int64, on the CPU: the number of live rows at each timestep.
        state : `Tuple[torch.Tensor, torch.Tensor]`
            The hidden state, of shape (rows, projection_dim), and the cell, of shape
            (rows, cell_size), longest row first. Rows without a token keep their state.

        # Returns

        `Tuple[torch.Tensor, Tuple[torch.Tensor, torch.Tensor]]`
            The outputs, of shape (tokens, projection_dim), and the state after each row's last
            timestep, in the shapes of `state`.
        """
        kernels = self.kernels_for(inputs)
        if kernels is not None:
            return self.run_on_kernels(kernels, inputs, batch_sizes, state)
        hidden, cell = state
        outputs, (last_hidden, last_cell) = run_plainly(
            [self], inputs.unsqueeze(0), batch_sizes, (hidden.unsqueeze(0), cell.unsqueeze(0))
        )
        return outputs[0], (last_hidden[0], last_cell[0])

    def run_on_kernels(
        self,
        kernels: Kernels,
        inputs: torch.Tensor,
        batch_sizes: torch.Tensor,
        state: State,
    ) -> Tuple[torch.Tensor, State]:
        """
        Runs the layer on kernels.

        # Parameters

        kernels : `Kernels`
            The kernels, from `kernels_for`.
        inputs, batch_sizes, state :
            See `forward`.

        # Returns

        `Tuple[torch.Tensor, Tuple[torch.Tensor, torch.Tensor]]`
            See `forward`.
        """
        # Under autocast the inputs may be of another dtype.
        inputs, state = inputs.float(), (state[0].float(), state[1].float())
        if needs_gradients(self, inputs, *state):
            refuse_gradients(self.precision)
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
        return kernel_lstm(
            kernels,
            inputs,
            batch_sizes,
            state,
            self._tiled(),
            self.cell_clip,
            self.proj_clip,
        )

    def prepare(
        self,
        kernels: Kernels,
        inputs: torch.Tensor,
        batch_sizes: torch.Tensor,
        state: State,
        outputs: torch.Tensor,
    ) -> PreparedLstm:
        """
        Prepares a run without gradients.

        # Parameters

        kernels : `Kernels`
            The kernels, from `kernels_for`.
        inputs, batch_sizes :
            See `forward`; the inputs are float32 and contiguous.
        state : `Tuple[torch.Tensor, torch.Tensor]`
            The state to start from, float32 and contiguous, which the run overwrites.
        outputs : `torch.Tensor`
            Shape (tokens, projection_dim), float32, contiguous: memory for the outputs.

        # Returns

        `PreparedLstm`
        """
        clips = (self.cell_clip, self.proj_clip)
        return PreparedLstm(kernels, inputs, batch_sizes, state, self._tiled(), clips, outputs)

    def _tiled(self) -> TiledLstm:
        tensors = [tensor for weights in self.children() for tensor in stored_tensors(weights)]
        return self.derived.get("tiled", tensors, self._compute_tiled)

    def _compute_tiled(self) -> TiledLstm:
        return TiledLstm(
            weight_ih=as_tiled(self.weight_ih, is_gates=True),
            weight_hh=as_tiled(self.weight_hh, is_gates=True),
            weight_hr=as_tiled(self.weight_hr),
            bias=tile_vector(self.bias, is_gates=True),
        )


def run_plainly(
    lstms: Sequence[ProjectedLstm], inputs: torch.Tensor, batch_sizes: torch.Tensor, state: State
) -> Tuple[torch.Tensor, State]:
    """
    Runs the directions of a layer together, without kernels.

    # Parameters

    lstms : `Sequence[ProjectedLstm]`
        One layer for each direction, all of one shape.
    inputs, batch_sizes, state :
        See `plain_lstm`.

    # Returns

    `Tuple[torch.Tensor, Tuple[torch.Tensor, torch.Tensor]]`
        See `plain_lstm`.

    # Raises

    `ConfigurationError`
        When gradients are needed and the precision is reduced.
    """
    first = lstms[0]
    if needs_gradients(first, inputs, *state):
        refuse_gradients(first.precision)

    def stacked(name: str) -> torch.Tensor:
        return torch.stack([as_float32(getattr(lstm, name), lstm.bias.dtype) for lstm in lstms])

    weights = PlainWeights(
        weight_ih=stacked("weight_ih"),
        weight_hh=stacked("weight_hh"),
        bias=torch.stack([lstm.bias for lstm in lstms]),
        weight_hr=stacked("weight_hr") if first.has_projection else None,
        precision=first.precision,
    )
    return plain_lstm(inputs, batch_sizes, state, weights, first.cell_clip, first.proj_clip)
