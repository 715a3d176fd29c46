"""
The removal of sentence boundaries from a batch of vectors.
"""

from typing import Any, Tuple

import torch

from allennlp_elmo_plugin.network.sentence_batch import SentenceBatch

__all__ = ["remove_boundaries"]


def remove_boundaries(vectors: torch.Tensor, batch: SentenceBatch) -> torch.Tensor:
    """
    Removes the vectors of `<S>` and `</S>`.

    # Parameters

    vectors : `torch.Tensor`
        Shape (batch, timesteps + 2, size), float. It is not written to.
    batch : `SentenceBatch`
        The sentences.

    # Returns

    `torch.Tensor`
        Shape (batch, timesteps, size), float, exactly 0 behind the tokens of a row if it was so
        behind `</S>`.
    """
    # </S> stands inside the batch in shorter rows.
    if min(batch.lengths, default=0) == batch.timesteps:
        return vectors[:, 1:-1]
    positions = torch.arange(batch.timesteps, device=vectors.device)
    is_end = positions == (batch.ends - 1).unsqueeze(1)
    if vectors.requires_grad and not torch.jit.is_tracing():
        return _BoundaryRemoval.apply(vectors, is_end)
    return _remove(vectors, is_end)


def _remove(vectors: torch.Tensor, is_end: torch.Tensor) -> torch.Tensor:
    # Not in place: a mix may return memory of the layers, or what autograd has kept.
    return vectors.masked_fill(is_end.unsqueeze(-1), 0.0)[:, 1:-1]


class _BoundaryRemoval(torch.autograd.Function):
    """
    A removal of boundaries whose backward pass writes the gradient twice.

    Autograd's own, of the two operations, writes it three times.
    """

    @staticmethod
    def forward(ctx: Any, vectors: torch.Tensor, is_end: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(is_end)
        return _remove(vectors, is_end)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Tuple[torch.Tensor, None]:
        (is_end,) = ctx.saved_tensors
        inside = gradient.masked_fill(is_end[:, 1:-1].unsqueeze(-1), 0.0)
        return torch.nn.functional.pad(inside, (0, 0, 1, 1)), None
