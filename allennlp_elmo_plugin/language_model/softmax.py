"""
The softmax over the vocabulary, in full or on a sample.
"""

from math import sqrt
from typing import Any, Optional, Tuple

import torch
from allennlp.common.checks import ConfigurationError
from torch.autograd.function import once_differentiable

from allennlp_elmo_plugin.language_model.log_uniform import draw_log_uniform

__all__ = ["Softmax"]

LOGITS_AT_ONCE = 1 << 24
"""64 MB of float32."""


class Softmax(torch.nn.Module):
    """
    Predicts words from what an LSTM gives. One softmax serves both directions, as in bilm-tf.

    `weight`, of shape (num_words, size), and `bias`, of shape (num_words,), are random and 0 at the
    start, as in bilm-tf.

    # Parameters

    num_words : `int`
        The size of the vocabulary.
    size : `int`
        The size of the vectors: the `projection_dim` of the biLM.
    """

    def __init__(self, num_words: int, size: int) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.empty(num_words, size))
        self.bias = torch.nn.Parameter(torch.zeros(num_words))
        torch.nn.init.normal_(self.weight, std=1 / sqrt(size))

    def load(self, weight: torch.Tensor, bias: torch.Tensor) -> None:
        """
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
        The loss over the whole vocabulary.

        # Parameters

        vectors : `torch.Tensor`
            Shape (tokens, size), float.
        targets : `torch.Tensor`
            Shape (tokens,), int64.

        # Returns

        `torch.Tensor`
            Shape (tokens,), float32: minus the logarithm of the probability of each target.
        """
        rows = max(1, LOGITS_AT_ONCE // len(self.weight))
        losses = [
            torch.nn.functional.cross_entropy(
                torch.nn.functional.linear(some_vectors, self.weight, self.bias).float(),
                some_targets,
                reduction="none",
            )
            for some_vectors, some_targets in zip(vectors.split(rows), targets.split(rows))
        ]
        return torch.cat(losses)

    def sampled(
        self, vectors: torch.Tensor, targets: torch.Tensor, num_samples: int
    ) -> torch.Tensor:
        """
        An estimate of the loss from a sample of the vocabulary, whose ids have to be in the order
        of falling frequency. Each logit is corrected by how likely its word is in a sample, and a
        word of the sample that is a token's target is left out for this token (Jean et al., 2015,
        section 3; TensorFlow's `sampled_softmax_loss`).

        # Parameters

        vectors : `torch.Tensor`
            Shape (tokens, size), float.
        targets : `torch.Tensor`
            Shape (tokens,), int64.
        num_samples : `int`
            How many words are drawn, for all tokens together.

        # Returns

        `torch.Tensor`
            Shape (tokens,), float32.

        # Raises

        `ConfigurationError`
            When the vocabulary has no more words than that.
        """
        num_words = len(self.weight)
        if num_samples >= num_words:
            raise ConfigurationError(
                f"Expected 'num_samples' to be less than the {num_words} words of the vocabulary, "
                f"got {num_samples}. Use fewer, or null for the full softmax."
            )
        sample = draw_log_uniform(num_samples, num_words)
        ids = sample.ids.to(targets.device)
        target_logits = (vectors * self.weight[targets]).sum(dim=-1).float() + self.bias[targets]
        target_logits = target_logits - sample.log_expected_counts(targets).float()
        corrected_bias = self.bias[ids] - sample.log_expected_counts(ids).float()
        places = targets.new_full((num_words,), -1)
        places[ids] = torch.arange(num_samples, device=places.device)
        return _SampledLoss.apply(
            vectors, self.weight[ids], corrected_bias, target_logits, places[targets]
        )


class _SampledLoss(torch.autograd.Function):
    """
    As autograd would have it, with half as many passes over the logits, and half the memory.
    """

    @staticmethod
    def forward(
        ctx: Any,
        vectors: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor,
        target_logits: torch.Tensor,
        hits: torch.Tensor,
    ) -> torch.Tensor:
        vectors, weight = vectors.float(), weight.float()
        with torch.autocast(vectors.device.type, enabled=False):
            logits = torch.addmm(bias, vectors, weight.t())
        rows = (hits >= 0).nonzero().squeeze(-1)
        logits[rows, hits[rows]] = float("-inf")
        largest = torch.maximum(logits.amax(dim=1), target_logits)
        odds = logits.sub_(largest.unsqueeze(1)).exp_()
        target_odds = (target_logits - largest).exp()
        total = odds.sum(dim=1) + target_odds
        ctx.save_for_backward(vectors, weight, odds, target_odds, total)
        return total.log() + largest - target_logits

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> Tuple[Optional[torch.Tensor], ...]:
        vectors, weight, odds, target_odds, total = ctx.saved_tensors
        share = gradient / total
        return (
            share.unsqueeze(1) * odds.mm(weight),
            odds.t().mm(share.unsqueeze(1) * vectors),
            odds.t().mv(share),
            share * target_odds - gradient,
            None,
        )
