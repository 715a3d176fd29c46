"""
The facts that follow from the lengths of a batch's rows: its mask and its time-major order.
"""

from functools import lru_cache
from typing import Sequence, Tuple

import numpy
import torch

from allennlp_elmo_plugin.io.lazy import lazy_property
from allennlp_elmo_plugin.network.time_major import TimeMajorLayout

__all__ = ["BatchShape"]

NUM_BOUNDARIES = 2

# Single sentences and other small batches often have the shape of an earlier one. The tensors of
# all kept shapes take at most 8 MB.
KEPT_SHAPES = 128
MOST_POSITIONS_KEPT = 1024


class BatchShape:
    """
    The lengths of the rows of a padded batch, and what follows from them.

    Batches of one shape share it, so callers must not write to its tensors. Get one with `of`.

    # Parameters

    num_tokens : `Tuple[int, ...]`
        The number of tokens in each row, without added boundaries.
    width : `int`
        The number of tokens of the padded rows, without added boundaries.
    adds_boundaries : `bool`
        If `True`, `<S>` and `</S>` are added around the tokens of each row.
    device : `torch.device`
        The device of the tensors.
    """

    def __init__(
        self, num_tokens: Tuple[int, ...], width: int, adds_boundaries: bool, device: torch.device
    ) -> None:
        extra = NUM_BOUNDARIES if adds_boundaries else 0
        self.width = width
        self.adds_boundaries = adds_boundaries
        self.device = device
        self.lengths = tuple(number + extra for number in num_tokens)
        self.timesteps = width + extra

    @classmethod
    def of(
        cls, num_tokens: Sequence[int], width: int, adds_boundaries: bool, device: torch.device
    ) -> "BatchShape":
        """
        Returns the shape of a batch, the same object for small batches of equal shape.

        # Parameters

        num_tokens, width, adds_boundaries, device :
            See the class.

        # Returns

        `BatchShape`
        """
        most_positions = len(num_tokens) * (width + NUM_BOUNDARIES)
        build = _kept_shape if most_positions <= MOST_POSITIONS_KEPT else cls
        return build(tuple(num_tokens), width, adds_boundaries, device)

    @lazy_property
    def ends(self) -> torch.Tensor:
        """Shape (batch,), int64: the number of tokens that are run in each row."""
        with torch.inference_mode(False):
            return torch.tensor(self.lengths, dtype=torch.long, device=self.device)

    @lazy_property
    def mask(self) -> torch.Tensor:
        """Shape (batch, timesteps), bool, `True` = token, with the added boundaries."""
        with torch.inference_mode(False):
            return torch.arange(self.timesteps, device=self.device) < self.ends.unsqueeze(1)

    @lazy_property
    def layout(self) -> TimeMajorLayout:
        """The time-major order of the tokens, added boundaries included."""
        return TimeMajorLayout.from_lengths(self.lengths, self.timesteps, self.device)

    @lazy_property
    def sources(self) -> torch.Tensor:
        """
        Shape (tokens,), int64: the index of each time-major token in the flattened ids.

        Token t of row b has index b * width + t. `<S>` and `</S>` follow the ids, in this order.
        """
        positions = self.layout.positions
        if not self.adds_boundaries:
            return positions
        batch_size = len(self.lengths)
        begin = batch_size * self.width
        # As in TimeMajorLayout, NumPy is the faster one on arrays this small.
        sources = numpy.empty((batch_size, self.timesteps), dtype=numpy.int64)
        sources[:, 0] = begin
        sources[:, 1:-1] = numpy.arange(begin).reshape(batch_size, self.width)
        sources[numpy.arange(batch_size), numpy.asarray(self.lengths, dtype=int) - 1] = begin + 1
        with torch.inference_mode(False):
            return torch.from_numpy(sources.ravel()).to(self.device).index_select(0, positions)


_kept_shape = lru_cache(maxsize=KEPT_SHAPES)(BatchShape)
