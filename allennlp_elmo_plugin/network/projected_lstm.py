"""
One layer of LSTM with projection (LSTMP; Sak et al., 2014), in one direction.
"""

from functools import partial
from math import sqrt
from typing import List, Optional, Sequence, Tuple

import torch

from allennlp_elmo_plugin.kernels import (
    GpuWeights,
    Kernels,
    PreparedLstm,
    TiledLstm,
    gpu_kernels_fit,
    gpu_lstm,
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
    as_dtype,
    as_tiled,
    needs_gradients,
    reduce_matrix,
    refuse_gradients,
    stored_tensors,
)

__all__ = ["ProjectedLstm", "run_together"]


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
        # An options file may have integers, which PyTorch's clamp takes up to 64 bits only.
        self.cell_clip = None if options.cell_clip is None else float(options.cell_clip)
        self.proj_clip = None if options.proj_clip is None else float(options.proj_clip)
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

    def gpu_kernels_fit(self, inputs: torch.Tensor) -> bool:
        """Returns `True` if the kernels for GPUs can run these inputs."""
        # They multiply with no int8.
        if not self.has_projection or self.precision == "int8":
            return False
        return gpu_kernels_fit(self.bias, inputs, inputs.size(-1), len(self.bias) // 4)

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
        outputs, (last_hidden, last_cell) = run_together(
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

    def gpu_weights(self) -> Tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Returns the weights in the order of `GpuWeights`, in the dtype that they multiply in."""
        if self.precision != "float32":
            return self.derived.get(
                "gpu", self._stored_tensors(), partial(self._weights_in, torch.bfloat16)
            )
        return self._weights_in(_autocast_dtype() if torch.is_autocast_enabled() else torch.float32)

    def _weights_in(
        self, dtype: torch.dtype
    ) -> Tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        matrices = (self.weight_ih, self.weight_hh, self.weight_hr)
        weight_ih, weight_hh, weight_hr = (as_dtype(matrix, dtype) for matrix in matrices)
        return weight_ih, weight_hh, weight_hr, self.bias

    def _tiled(self) -> TiledLstm:
        return self.derived.get("tiled", self._stored_tensors(), self._compute_tiled)

    def _stored_tensors(self) -> List[torch.Tensor]:
        return [tensor for weights in self.children() for tensor in stored_tensors(weights)]

    def _compute_tiled(self) -> TiledLstm:
        return TiledLstm(
            weight_ih=as_tiled(self.weight_ih, is_gates=True),
            weight_hh=as_tiled(self.weight_hh, is_gates=True),
            weight_hr=as_tiled(self.weight_hr),
            bias=tile_vector(self.bias, is_gates=True),
        )


def run_together(
    lstms: Sequence[ProjectedLstm], inputs: torch.Tensor, batch_sizes: torch.Tensor, state: State
) -> Tuple[torch.Tensor, State]:
    """
    Runs the directions of a layer together, on the kernels for GPUs or in PyTorch.

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
    run = _run_on_gpu if first.gpu_kernels_fit(inputs[0]) else _run_plainly
    return run(lstms, inputs, batch_sizes, state)


def _run_plainly(
    lstms: Sequence[ProjectedLstm], inputs: torch.Tensor, batch_sizes: torch.Tensor, state: State
) -> Tuple[torch.Tensor, State]:
    first = lstms[0]

    def stacked(name: str) -> torch.Tensor:
        return torch.stack([as_dtype(getattr(lstm, name), lstm.bias.dtype) for lstm in lstms])

    weights = PlainWeights(
        weight_ih=stacked("weight_ih"),
        weight_hh=stacked("weight_hh"),
        bias=torch.stack([lstm.bias for lstm in lstms]),
        weight_hr=stacked("weight_hr") if first.has_projection else None,
        precision=first.precision,
    )
    return plain_lstm(inputs, batch_sizes, state, weights, first.cell_clip, first.proj_clip)


def _run_on_gpu(
    lstms: Sequence[ProjectedLstm], inputs: torch.Tensor, batch_sizes: torch.Tensor, state: State
) -> Tuple[torch.Tensor, State]:
    first = lstms[0]
    hidden, cell = state
    weights = GpuWeights(*zip(*(lstm.gpu_weights() for lstm in lstms)))
    # The weights have the dtype that autocast asks for.
    with torch.autocast("cuda", enabled=False):
        return gpu_lstm(
            inputs.float(),
            batch_sizes,
            (hidden.float(), cell.float()),
            weights,
            first.cell_clip,
            first.proj_clip,
        )


def _autocast_dtype() -> torch.dtype:
    if hasattr(torch, "get_autocast_dtype"):
        return torch.get_autocast_dtype("cuda")
    return torch.get_autocast_gpu_dtype()
