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
    forward : `torch.Tensor`
        Shape (tokens,), int64. Where each visited token stands in the flattened batch, when each
        row is read from its first token to its last.
    backward : `torch.Tensor`
        Shape (tokens,), int64. The same, when each row is read from its own last token to its
        first.
    """

    rows: torch.Tensor
    batch_sizes: List[int]
    forward: torch.Tensor
    backward: torch.Tensor


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
    starts = rows * timesteps
    return Packing(
        rows=rows.to(device),
        batch_sizes=alive.sum(dim=1).tolist(),
        forward=(starts + steps)[alive].to(device),
        backward=(starts + sizes - 1 - steps)[alive].to(device),
    )
