"""
What the training of a language model is measured by.
"""

import time
from math import exp
from typing import Optional

import torch
from allennlp.nn.util import dist_reduce_sum
from allennlp.training.metrics import Metric
from overrides import overrides

__all__ = ["TokenAverage", "TokenPerplexity", "TokensPerSecond"]

LARGEST_LOSS = 700.0
"""The exponential of more is no double."""


@Metric.register("token_average")
class TokenAverage(Metric):
    """
    The mean over all tokens, however they are spread over batches and processes.

    Registered as a `Metric` with name "token_average".
    """

    supports_distributed = True

    def __init__(self) -> None:
        self._total, self._num_tokens = 0.0, 0

    @overrides(check_signature=False)
    def __call__(self, values: torch.Tensor) -> None:
        """
        # Parameters

        values : `torch.Tensor`
            Shape (tokens,), of any type.
        """
        self._total += dist_reduce_sum(float(values.detach().double().sum()))
        self._num_tokens += dist_reduce_sum(len(values))

    @overrides
    def get_metric(self, reset: bool = False) -> float:
        """
        # Parameters

        reset : `bool`, optional (default = `False`)
            Whether to begin anew.

        # Returns

        `float`
            0 where there were no tokens.
        """
        average = self._total / self._num_tokens if self._num_tokens else 0.0
        if reset:
            self.reset()
        return average

    @overrides
    def reset(self) -> None:
        self._total, self._num_tokens = 0.0, 0


@Metric.register("token_perplexity")
class TokenPerplexity(TokenAverage):
    """
    The perplexity of tokens, from minus the natural logarithm of the probability of each.

    Registered as a `Metric` with name "token_perplexity".
    """

    @overrides
    def get_metric(self, reset: bool = False) -> float:
        """
        # Parameters

        reset : `bool`, optional (default = `False`)
            Whether to begin anew.

        # Returns

        `float`
            0 where there were no tokens.
        """
        perplexity = exp(min(super().get_metric(), LARGEST_LOSS)) if self._num_tokens else 0.0
        if reset:
            self.reset()
        return perplexity


@Metric.register("tokens_per_second")
class TokensPerSecond(Metric):
    """
    How many tokens go by, of all processes together.

    Registered as a `Metric` with name "tokens_per_second".
    """

    supports_distributed = True

    def __init__(self) -> None:
        self._start: Optional[float] = None
        self._num_tokens, self._seconds = 0, 0.0

    @overrides(check_signature=False)
    def __call__(self, num_tokens: int) -> None:
        """
        # Parameters

        num_tokens : `int`
            The tokens of a batch. The clock starts with the first batch, which is not counted.
        """
        total = dist_reduce_sum(num_tokens)
        now = time.perf_counter()
        if self._start is None:
            self._start = now
        else:
            self._num_tokens += total
            self._seconds = now - self._start

    @overrides
    def get_metric(self, reset: bool = False) -> float:
        """
        # Parameters

        reset : `bool`, optional (default = `False`)
            Whether to begin anew.

        # Returns

        `float`
            0 before the second batch.
        """
        speed = self._num_tokens / self._seconds if self._seconds else 0.0
        if reset:
            self.reset()
        return speed

    @overrides
    def reset(self) -> None:
        self._start = None
        self._num_tokens, self._seconds = 0, 0.0
