"""
Metrics of a language model: mean loss, perplexity and throughput.
"""

import time
from abc import abstractmethod
from math import exp
from typing import Optional

import torch
from allennlp.nn.util import dist_reduce_sum
from allennlp.training.metrics import Metric
from overrides import overrides

__all__ = ["MAX_LOSS", "TokenAverage", "TokenPerplexity", "TokensPerSecond"]

MAX_LOSS = 700.0
"""In nats. A larger mean loss counts as this one, because its exponential would be infinite."""


class _NumberMetric(Metric):
    """
    A metric that is a single number and sums over the processes of a distributed training.
    """

    supports_distributed = True

    @overrides
    def get_metric(self, reset: bool = False) -> float:
        """
        Returns the metric of everything since the last reset.

        # Parameters

        reset : `bool`, optional (default = `False`)
            If `True`, reset the metric afterwards.

        # Returns

        `float`
            The metric, or 0 if there is nothing to measure.
        """
        value = self._value()
        if reset:
            self.reset()
        return value

    @abstractmethod
    def _value(self) -> float: ...


@Metric.register("token_average")
class TokenAverage(_NumberMetric):
    """
    The mean of a value over all tokens, in all batches and processes.

    Registered as a `Metric` with name "token_average".
    """

    def __init__(self) -> None:
        self._total, self._num_tokens = 0.0, 0

    @overrides(check_signature=False)
    def __call__(self, values: torch.Tensor) -> None:
        """
        Adds the values of a batch.

        # Parameters

        values : `torch.Tensor`
            Shape (tokens,), any dtype.
        """
        self._total += dist_reduce_sum(float(values.detach().double().sum()))
        self._num_tokens += dist_reduce_sum(len(values))

    @overrides
    def reset(self) -> None:
        self._total, self._num_tokens = 0.0, 0

    def _value(self) -> float:
        return self._total / self._num_tokens if self._num_tokens else 0.0


@Metric.register("token_perplexity")
class TokenPerplexity(TokenAverage):
    """
    The perplexity over all tokens. Its values are the tokens' losses in nats.

    Registered as a `Metric` with name "token_perplexity".
    """

    def _value(self) -> float:
        return exp(min(super()._value(), MAX_LOSS)) if self._num_tokens else 0.0


@Metric.register("tokens_per_second")
class TokensPerSecond(_NumberMetric):
    """
    The throughput of all processes together, in tokens per second.

    Registered as a `Metric` with name "tokens_per_second".
    """

    def __init__(self) -> None:
        self._start: Optional[float] = None
        self._num_tokens, self._seconds = 0, 0.0

    @overrides(check_signature=False)
    def __call__(self, num_tokens: int) -> None:
        """
        Counts the tokens of a batch that was just finished.

        The clock starts at the end of the first batch, whose tokens are not counted.

        # Parameters

        num_tokens : `int`
            Number of tokens in the batch.
        """
        total = dist_reduce_sum(num_tokens)
        now = time.perf_counter()
        if self._start is None:
            self._start = now
        else:
            self._num_tokens += total
            self._seconds = now - self._start

    @overrides
    def reset(self) -> None:
        self._start = None
        self._num_tokens, self._seconds = 0, 0.0

    def _value(self) -> float:
        return self._num_tokens / self._seconds if self._seconds else 0.0
