"""
The time-major order of a padded batch, in which a recurrence runs over live rows only.
"""

from dataclasses import dataclass
from typing import Sequence, Tuple

import numpy
import torch

from allennlp_elmo_plugin.io.lazy import lazy_property

__all__ = ["TimeMajorLayout"]


@dataclass(frozen=True, eq=False)
class TimeMajorLayout:
    """
    The order in which a recurrence reads the tokens of a padded batch.

    It goes timestep by timestep, and within a timestep from the longest row to the shortest.
    Padding is left out.

    # Parameters

    row_order : `torch.Tensor`
        Shape (batch,), int64: the rows of the batch, longest first.
    row_ranks : `torch.Tensor`
        Shape (batch,), int64: the rank of each row in `row_order`.
    batch_sizes : `torch.Tensor`
        Shape (timesteps,), int64, on the CPU: the number of rows that are alive at each timestep.
        It never grows.
    positions : `torch.Tensor`
        Shape (tokens,), int64: the index of each token in the flattened (batch, timesteps) batch,
        when each row is read from its first token to its last.
    reversal : `torch.Tensor`
        Shape (tokens,), int64: the permutation of the tokens that reads each row from its own last
        token to its first. It is its own inverse.
    padded_shape : `Tuple[int, int]`
        The shape (batch, timesteps) of the padded batch.
    """

    row_order: torch.Tensor
    row_ranks: torch.Tensor
    batch_sizes: torch.Tensor
    positions: torch.Tensor
    reversal: torch.Tensor
    padded_shape: Tuple[int, int]

    @classmethod
    def from_lengths(
        cls, lengths: Sequence[int], timesteps: int, device: torch.device
    ) -> "TimeMajorLayout":
        """
        Computes the layout of a padded batch.

        # Parameters

        lengths : `Sequence[int]`
            The number of tokens in each row; 0 is allowed.
        timesteps : `int`
            The width of the padded batch, at least the largest length.
        device : `torch.device`
            The device of the indices.

        # Returns

        `TimeMajorLayout`
        """
        # On arrays this small, NumPy's operations take a fifth of the time of PyTorch's.
        unsorted = numpy.asarray(lengths, dtype=numpy.int64)
        row_order = numpy.argsort(-unsorted, kind="stable")
        sizes = unsorted[row_order]
        longest = int(sizes[0]) if len(sizes) else 0
        is_alive = numpy.arange(longest)[:, None] < sizes
        batch_sizes = is_alive.sum(axis=1)
        starts = batch_sizes.cumsum() - batch_sizes
        timestep, rank = is_alive.nonzero()
        arrays = (
            row_order,
            numpy.argsort(row_order, kind="stable"),
            batch_sizes,
            row_order[rank] * timesteps + timestep,
            starts[sizes[rank] - 1 - timestep] + rank,
        )
        # A layout may serve inference first and training later.
        with torch.inference_mode(False):
            order, ranks, batch_sizes, positions, reversal = map(torch.from_numpy, arrays)
            return cls(
                order.to(device),
                ranks.to(device),
                batch_sizes,
                positions.to(device),
                reversal.to(device),
                (len(sizes), timesteps),
            )

    def in_reading_order(self, tokens: torch.Tensor) -> torch.Tensor:
        """
        Puts tokens into the order in which each direction reads them.

        # Parameters

        tokens : `torch.Tensor`
            Shape (tokens, ...): time-major, each row from its first token to its last.

        # Returns

        `torch.Tensor`
            Shape (2 directions, tokens, ...): as they are, and each row from its last token to its
            first.
        """
        return torch.stack([tokens, tokens.index_select(0, self.reversal)])

    def pad(self, layers: torch.Tensor) -> torch.Tensor:
        """
        Moves layers from the reading orders of both directions into the padded batch.

        # Parameters

        layers : `torch.Tensor`
            Shape (layers, 2 directions, tokens, size), float: the outputs of each direction, in its
            reading order.

        # Returns

        `torch.Tensor`
            Shape (layers, batch, timesteps, 2 * size), float, forward | backward, exactly 0 at
            padded positions.
        """
        num_layers, _, num_tokens, size = layers.shape
        batch_size, timesteps = self.padded_shape
        num_positions = batch_size * timesteps
        if num_tokens == 0:
            return layers.new_zeros(num_layers, batch_size, timesteps, 2 * size)
        padded = layers.flatten(1, 2).index_select(1, self._gathered)
        padded = padded.view(num_layers, num_positions, 2 * size)
        if num_tokens < num_positions:
            padded = padded.masked_fill_(self._is_padding, 0.0)
        return padded.view(num_layers, batch_size, timesteps, 2 * size)

    @lazy_property
    def _gathered(self) -> torch.Tensor:
        """Shape (batch * timesteps * 2,): the tokens at each position; padding gathers token 0."""
        batch_size, timesteps = self.padded_shape
        num_tokens = len(self.positions)
        with torch.inference_mode(False):
            gathered = self.positions.new_zeros(batch_size * timesteps, 2)
            gathered[self.positions, 0] = torch.arange(num_tokens, device=gathered.device)
            gathered[self.positions, 1] = self.reversal + num_tokens
            return gathered.flatten()

    @lazy_property
    def _is_padding(self) -> torch.Tensor:
        """Shape (batch * timesteps, 1), bool, `True` = padding."""
        batch_size, timesteps = self.padded_shape
        with torch.inference_mode(False):
            is_padding = self.positions.new_ones(batch_size * timesteps, 1, dtype=torch.bool)
            is_padding[self.positions] = False
            return is_padding
