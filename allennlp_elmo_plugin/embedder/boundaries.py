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
    if vectors.requires_grad and not torch.jit.is_tracing():
        return _BoundaryRemoval.apply(vectors, batch.ends)
    return _remove(vectors, batch.ends)


def _remove(vectors: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
    # Counted from the first token, where <S> is no more.
    positions = torch.arange(vectors.size(1) - 2, device=vectors.device)
    is_end = positions == (ends - 2).unsqueeze(1)
    # Not in place: a mix may return memory of the layers, or what autograd has kept. The result is
    # contiguous, so that the next layer need not copy it.
    return vectors[:, 1:-1].masked_fill(is_end.unsqueeze(-1), 0.0)


class _BoundaryRemoval(torch.autograd.Function):
    """
    A removal of boundaries whose backward pass writes the gradient once.

    Autograd's own, of the two operations, writes it three times.
    """

    @staticmethod
    def forward(ctx: Any, vectors: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(ends)
        return _remove(vectors, ends)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Tuple[torch.Tensor, None]:
        (ends,) = ctx.saved_tensors
        batch_size, timesteps, size = gradient.shape
        padded = gradient.new_empty(batch_size, timesteps + 2, size)
        padded[:, 0] = padded[:, -1] = 0.0
        padded[:, 1:-1] = gradient
        padded[torch.arange(batch_size, device=ends.device), ends - 1] = 0.0
        return padded, None
