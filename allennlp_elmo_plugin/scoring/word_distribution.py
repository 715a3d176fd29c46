"""
The distribution of a biLM over its whole vocabulary.
"""

from typing import Iterator, Optional, Tuple

import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.extraction.models import digest_of_module
from allennlp_elmo_plugin.kernels import WordScores, kernel_word_scores, kernels_for
from allennlp_elmo_plugin.network.kernel_linear import KernelLinear

__all__ = ["WordDistribution"]

MAX_LOGITS = 1 << 26
"""Number of logits that are in memory at a time: 256 MB of float32."""
MAX_ROWS = 128
"""Number of vectors that the kernels multiply with one reading of the weights."""
GROUP = 64
"""Number of words whose probabilities are added up first; a multiple of the kernels' 16."""
LOWEST = float("-inf")


class WordDistribution(torch.nn.Module):
    """
    A softmax over all words of a vocabulary, without gradients.

    It runs on the compiled kernels where they fit. A vector's numbers are then the same to the bit,
    whatever other vectors stand beside it. It holds 256 MB of logits at most.

    # Parameters

    weight : `torch.Tensor`
        Shape (num_words, size), float.
    bias : `torch.Tensor`
        Shape (num_words,), float.
    precision : `str`, optional (default = `"float32"`)
        Precision of the weight: `"float32"`, `"bfloat16"` or `"int8"`.

    # Raises

    `ConfigurationError`
        When the precision is reduced and the size is not a multiple of 16.
    """

    num_words: int
    """Size of the vocabulary."""

    def __init__(
        self, weight: torch.Tensor, bias: torch.Tensor, precision: str = "float32"
    ) -> None:
        super().__init__()
        self.num_words, size = weight.shape
        num_rows = -(-self.num_words // GROUP) * GROUP
        self._linear = KernelLinear(size, num_rows).requires_grad_(False)
        self._linear.weight.zero_()[: self.num_words] = weight.detach()
        # A word that fills up the last group has the probability 0.
        self._linear.bias.fill_(LOWEST)[: self.num_words] = bias.detach()
        if precision != "float32":
            self._linear.reduce_precision(precision)

    @property
    def size(self) -> int:
        """Size of the vectors, which is the `projection_dim` of the biLM."""
        return self._linear.num_inputs

    def digest(self) -> str:
        """Returns a digest that differs between distributions that give other probabilities."""
        return digest_of_module(self._linear, self._linear.precision)

    @torch.no_grad()
    def score(self, vectors: torch.Tensor, words: torch.Tensor) -> WordScores:
        """
        Computes the log probability and the rank of a word for each vector.

        # Parameters

        vectors : `torch.Tensor`
            Shape (vectors, size), float: outputs of the top layer in one direction.
        words : `torch.Tensor`
            Shape (vectors,), int64: numbers of words, which are their rows in the weight.

        # Returns

        `WordScores`
        """
        kernels = kernels_for(self._linear.bias, vectors, self.size)
        if kernels is not None:
            return kernel_word_scores(kernels, vectors.float(), *self._linear.tiled(), words)
        log_probabilities = vectors.new_empty(len(vectors), dtype=torch.float64)
        ranks = torch.empty_like(words)
        for rows in self._chunks(len(vectors)):
            logits = self._linear(vectors[rows]).float()
            chosen = logits.gather(1, words[rows].unsqueeze(1))
            ranks[rows] = 1 + (logits > chosen).sum(dim=1)
            log_probabilities[rows] = chosen.squeeze(1).double() - _log_sums_of_exponentials(logits)
        return WordScores(log_probabilities, ranks)

    @torch.no_grad()
    def best(
        self,
        vectors: torch.Tensor,
        num_best: int,
        others: Optional[torch.Tensor] = None,
        excluded: Optional[torch.Tensor] = None,
    ) -> Tuple[torch.Tensor, torch.Tensor]:
        """
        Finds the most probable words for each vector.

        # Parameters

        vectors : `torch.Tensor`
            Shape (vectors, size), float: outputs of the top layer in one direction.
        num_best : `int`
            The number of words to find.
        others : `torch.Tensor`, optional (default = `None`)
            Shape (vectors, size), float: outputs of the other direction for the same tokens. The
            distribution is then the normalized product of both.
        excluded : `torch.Tensor`, optional (default = `None`)
            Shape (words,), int64: words that are no candidates. They keep their probability.

        # Returns

        `Tuple[torch.Tensor, torch.Tensor]`
            The words, shape (vectors, num_best), int64, the most probable first, and their log
            probabilities in nats, same shape, float64.

        # Raises

        `ConfigurationError`
            If there are not as many candidates.
        """
        num_candidates = self.num_words - (0 if excluded is None else len(excluded))
        if not 1 <= num_best <= num_candidates:
            raise ConfigurationError(
                f"Expected the number of candidates to be from 1 to {num_candidates}, the words of "
                f"the vocabulary that can be one, got {num_best}."
            )
        words = torch.empty(len(vectors), num_best, dtype=torch.int64, device=vectors.device)
        log_probabilities = torch.empty_like(words, dtype=torch.float64)
        for rows in self._chunks(len(vectors)):
            logits = self._linear(vectors[rows]).float()
            if others is not None:
                logits += self._linear(others[rows]).float()
            candidates = logits if excluded is None else logits.index_fill(1, excluded, LOWEST)
            found, words[rows] = candidates.topk(num_best)
            log_probabilities[rows] = found.double() - _log_sums_of_exponentials(logits)[:, None]
        return words, log_probabilities

    def _chunks(self, num_vectors: int) -> Iterator[slice]:
        size = max(1, min(MAX_ROWS, MAX_LOGITS // self.num_words))
        return (slice(start, start + size) for start in range(0, num_vectors, size))


def _log_sums_of_exponentials(logits: torch.Tensor) -> torch.Tensor:
    """Returns the logarithms of the sums of each row's exponentials, and overwrites the logits."""
    largest = logits.amax(dim=1, keepdim=True)
    exponentials = logits.sub_(largest).exp_()
    # The sum of a single row of many numbers would depend on the number of threads.
    groups = exponentials.view(len(logits), -1, GROUP).sum(dim=2)
    return groups.sum(dim=1, dtype=torch.float64).log() + largest.squeeze(1).double()
