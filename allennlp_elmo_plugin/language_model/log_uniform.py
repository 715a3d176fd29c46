"""
Drawing words by their rank alone, for a sampled softmax.
"""

from typing import NamedTuple

import numpy
import torch

__all__ = ["LogUniformSample", "draw_log_uniform"]


class LogUniformSample(NamedTuple):
    """
    Different ids, drawn at random.

    # Parameters

    ids : `torch.Tensor`
        Shape (num_samples,), int64.
    num_draws : `int`
        How many draws it took to see so many different ids.
    num_ids : `int`
        From how many ids they were drawn.
    """

    ids: torch.Tensor
    num_draws: int
    num_ids: int

    def log_expected_counts(self, ids: torch.Tensor) -> torch.Tensor:
        """
        The logarithm of the probability that an id is among those drawn, taken as that of
        `num_draws` independent draws, as in TensorFlow's candidate samplers.

        # Parameters

        ids : `torch.Tensor`
            Of any shape, int64.

        # Returns

        `torch.Tensor`
            The same shape, float64.
        """
        ranks = ids.double()
        probabilities = torch.log1p(1 / (ranks + 1)) / numpy.log(self.num_ids + 1)
        return torch.log(-torch.expm1(self.num_draws * torch.log1p(-probabilities)))


def draw_log_uniform(num_samples: int, num_ids: int) -> LogUniformSample:
    """
    Draws different ids from a Zipfian distribution, which words in the order of their frequency
    roughly have: `P(id) = (log(id + 2) - log(id + 1)) / log(num_ids + 1)`, as TensorFlow's
    `log_uniform_candidate_sampler` does. It takes PyTorch's random numbers of the CPU.

    # Parameters

    num_samples : `int`
        How many, less than `num_ids`.
    num_ids : `int`
        The ids are from 0 to `num_ids - 1`.

    # Returns

    `LogUniformSample`
    """
    draws = numpy.empty(0, dtype=numpy.int64)
    first_draws = draws
    while len(first_draws) < num_samples:
        uniform = torch.rand(max(2 * num_samples, len(draws)), dtype=torch.float64).numpy()
        # Rounding may reach the upper end, which is no id.
        drawn = numpy.minimum(numpy.exp(uniform * numpy.log(num_ids + 1)), num_ids).astype("int64")
        draws = numpy.concatenate([draws, drawn - 1])
        _, first_draws = numpy.unique(draws, return_index=True)
    kept = numpy.sort(first_draws)[:num_samples]
    return LogUniformSample(torch.from_numpy(draws[kept]), int(kept[-1]) + 1, num_ids)
