"""
The log-uniform proposal distribution, from which a sampled softmax draws its words.
"""

from typing import NamedTuple

import numpy
import torch

__all__ = ["LogUniformSample", "draw_log_uniform"]


class LogUniformSample(NamedTuple):
    """
    A sample of distinct ids from the log-uniform distribution.

    # Parameters

    ids : `torch.Tensor`
        Shape (num_samples,), int64: the distinct ids.
    num_draws : `int`
        Number of draws that it took to see this many distinct ids.
    num_ids : `int`
        Number of ids in the distribution.
    """

    ids: torch.Tensor
    num_draws: int
    num_ids: int

    def log_expected_counts(self, ids: torch.Tensor) -> torch.Tensor:
        """
        Computes the log probability that the sample contains each id.

        The `num_draws` draws are taken to be independent, as in TensorFlow's candidate samplers.

        # Parameters

        ids : `torch.Tensor`
            Any shape, int64.

        # Returns

        `torch.Tensor`
            Same shape, float64.
        """
        probabilities = torch.log1p(1 / (ids.double() + 1)) / numpy.log(self.num_ids + 1)
        return torch.log(-torch.expm1(self.num_draws * torch.log1p(-probabilities)))


def draw_log_uniform(num_samples: int, num_ids: int) -> LogUniformSample:
    """
    Draws distinct ids from the log-uniform distribution, until there are `num_samples`.

    `P(id) = (log(id + 2) - log(id + 1)) / log(num_ids + 1)`, as in TensorFlow's
    `log_uniform_candidate_sampler`. Words in descending order of frequency are roughly distributed
    like this (Zipf's law). The random numbers come from PyTorch's generator for the CPU.

    # Parameters

    num_samples : `int`
        Number of distinct ids, less than `num_ids`.
    num_ids : `int`
        Number of ids. They run from 0 to `num_ids - 1`.

    # Returns

    `LogUniformSample`
        The distinct ids, in the order in which they were first drawn.
    """
    draws = numpy.empty(0, dtype=numpy.int64)
    first_draws = draws
    while len(first_draws) < num_samples:
        uniform = torch.rand(max(2 * num_samples, len(draws)), dtype=torch.float64).numpy()
        # Rounding can reach num_ids + 1, one more than the last id allows.
        drawn = numpy.minimum(numpy.exp(uniform * numpy.log(num_ids + 1)), num_ids).astype("int64")
        draws = numpy.concatenate([draws, drawn - 1])
        _, first_draws = numpy.unique(draws, return_index=True)
    kept = numpy.sort(first_draws)[:num_samples]
    return LogUniformSample(torch.from_numpy(draws[kept]), int(kept[-1]) + 1, num_ids)
