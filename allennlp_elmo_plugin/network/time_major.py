"""
A padded batch laid out step by step, so that a recurrence runs on the rows still alive and
padding costs nothing.
"""

from typing import List, NamedTuple, Sequence

import torch

__all__ = ["Packing", "pack"]


class Packing(NamedTuple):
    """
    The order in which a recurrence visits the tokens of a padded batch: step by step, and within
    a step from the longest row to the shortest.

    # Parameters

    rows : `torch.Tensor`
        Shape (batch,), int64. The rows of the batch, longest first.
    batch_sizes : `List[int]`
        For each step, how many rows take part in it. It never grows.
    positions : `torch.Tensor`
        Shape (tokens,), int64. Where each visited token stands in the flattened batch, when each
        row is read from its first token to its last.
    reversal : `torch.Tensor`
        Shape (tokens,), int64. The token that is visited in place of each when each row is read
        from its own last token to its first; applied twice it changes nothing.
    """

    rows: torch.Tensor
    batch_sizes: List[int]
    positions: torch.Tensor
    reversal: torch.Tensor


def pack(lengths: Sequence[int], timesteps: int, device: torch.device) -> Packing:
    """
    # Parameters

    lengths : `Sequence[int]`
        The number of tokens in each row; 0 is allowed.
    timesteps : `int`
        The width of the padded batch.
    device : `torch.device`
        Where the indices are to be.

    # Returns

    `Packing`
    """
    sizes, rows = torch.tensor(lengths, dtype=torch.long).sort(descending=True, stable=True)
    steps = torch.arange(int(sizes[0]) if len(sizes) else 0).unsqueeze(1)
    alive = steps < sizes
    batch_sizes = alive.sum(dim=1)
    starts = batch_sizes.cumsum(dim=0) - batch_sizes
    mirrored_steps = (sizes - 1 - steps).clamp(min=0)
    return Packing(
        rows=rows.to(device),
        batch_sizes=batch_sizes.tolist(),
        positions=(rows * timesteps + steps)[alive].to(device),
        reversal=(starts[mirrored_steps] + torch.arange(len(sizes)))[alive].to(device),
    )
