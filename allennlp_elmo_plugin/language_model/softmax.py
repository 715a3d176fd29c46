"""
The softmax over the vocabulary, full or sampled.
"""

from math import sqrt
from typing import Any, Optional, Tuple

import torch
from allennlp.common.checks import ConfigurationError
from torch.autograd.function import once_differentiable

from allennlp_elmo_plugin.language_model.proposal_distribution import draw_log_uniform

__all__ = ["Softmax"]

MAX_LOGITS = 1 << 24
"""Number of logits that the full softmax holds in memory at a time: 64 MB of float32."""


class Softmax(torch.nn.Module):
    """
    A softmax layer that computes the loss of predicting words from vectors.

    As in bilm-tf, one softmax serves both directions of a biLM. Its parameters are `weight`, of
    shape (num_words, size) and random at the start, and `bias`, of shape (num_words,) and 0 at the
    start.

    # Parameters

    num_words : `int`
        Size of the vocabulary.
    size : `int`
        Size of the vectors, which is the `projection_dim` of the biLM.
    """

    def __init__(self, num_words: int, size: int) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.empty(num_words, size))
        self.bias = torch.nn.Parameter(torch.zeros(num_words))
        torch.nn.init.normal_(self.weight, std=1 / sqrt(size))

    def load(self, weight: torch.Tensor, bias: torch.Tensor) -> None:
        """
        Sets the parameters.

        # Parameters

        weight : `torch.Tensor`
            Shape (num_words, size), float.
        bias : `torch.Tensor`
            Shape (num_words,), float.
        """
        with torch.no_grad():
            self.weight.copy_(weight)
            self.bias.copy_(bias)

    def forward(self, vectors: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """
        Computes the loss of each token by the full softmax.

        # Parameters

        vectors : `torch.Tensor`
            Shape (tokens, size), float.
        targets : `torch.Tensor`
            Shape (tokens,), int64: ids of the words to predict.

        # Returns

        `torch.Tensor`
            Shape (tokens,), float32: negative log probability of each target.
        """
        chunk_size = max(1, MAX_LOGITS // len(self.weight))
        losses = [
            torch.nn.functional.cross_entropy(
                torch.nn.functional.linear(some_vectors, self.weight, self.bias).float(),
                some_targets,
                reduction="none",
            )
            for some_vectors, some_targets in zip(
                vectors.split(chunk_size), targets.split(chunk_size)
            )
        ]
        return torch.cat(losses)

    def sampled(
        self, vectors: torch.Tensor, targets: torch.Tensor, num_samples: int
    ) -> torch.Tensor:
        """
        Estimates the loss of each token by a sampled softmax.

        All tokens share one sample of words. Each logit is corrected by its word's log probability
        of being in the sample. A sampled word that equals a token's target, an accidental hit, is
        left out for this token. See Jean et al. (2015), section 3, and TensorFlow's
        `sampled_softmax_loss`.

        # Parameters

        vectors : `torch.Tensor`
            Shape (tokens, size), float.
        targets : `torch.Tensor`
            Shape (tokens,), int64: ids of the words to predict. The ids of the vocabulary must be
            in descending order of frequency.
        num_samples : `int`
            Number of sampled words, less than the size of the vocabulary.

        # Returns

        `torch.Tensor`
            Shape (tokens,), float32.

        # Raises

        `ConfigurationError`
            If there are not more words in the vocabulary than in the sample.
        """
        num_words = len(self.weight)
        if num_samples >= num_words:
            raise ConfigurationError(
                f"Expected 'num_samples' to be less than the {num_words} words of the vocabulary, "
                f"got {num_samples}. Use a smaller number, or null for the full softmax."
            )
        sample = draw_log_uniform(num_samples, num_words)
        ids = sample.ids.to(targets.device)
        target_logits = (vectors * self.weight[targets]).sum(dim=-1).float() + self.bias[targets]
        target_logits = target_logits - sample.log_expected_counts(targets).float()
        corrected_bias = self.bias[ids] - sample.log_expected_counts(ids).float()
        index_in_sample = targets.new_full((num_words,), -1)
        index_in_sample[ids] = torch.arange(num_samples, device=targets.device)
        return _SampledLoss.apply(
            vectors, self.weight[ids], corrected_bias, target_logits, index_in_sample[targets]
        )


class _SampledLoss(torch.autograd.Function):
    """
    The loss of a sampled softmax, with a backward pass of its own.

    It equals what autograd computes, with half as many passes over the logits and half the memory.
    `accidental_hits` has, for each token, the index of its target in the sample, or -1.
    """

    @staticmethod
    def forward(
        ctx: Any,
        vectors: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor,
        target_logits: torch.Tensor,
        accidental_hits: torch.Tensor,
    ) -> torch.Tensor:
        vectors, weight = vectors.float(), weight.float()
        with torch.autocast(vectors.device.type, enabled=False):
            logits = torch.addmm(bias, vectors, weight.t())
        rows = (accidental_hits >= 0).nonzero().squeeze(-1)
        logits[rows, accidental_hits[rows]] = float("-inf")
        max_logits = torch.maximum(logits.amax(dim=1), target_logits)
        exponentials = logits.sub_(max_logits.unsqueeze(1)).exp_()
        target_exponentials = (target_logits - max_logits).exp()
        normalizers = exponentials.sum(dim=1) + target_exponentials
        ctx.save_for_backward(vectors, weight, exponentials, target_exponentials, normalizers)
        return normalizers.log() + max_logits - target_logits

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_loss: torch.Tensor) -> Tuple[Optional[torch.Tensor], ...]:
        vectors, weight, exponentials, target_exponentials, normalizers = ctx.saved_tensors
        # Times the exponentials, these are the gradients of the logits.
        scales = grad_loss / normalizers
        return (
            scales.unsqueeze(1) * exponentials.mm(weight),
            exponentials.t().mm(scales.unsqueeze(1) * vectors),
            exponentials.t().mv(scales),
            scales * target_exponentials - grad_loss,
            None,
        )
