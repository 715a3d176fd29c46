"""
Finding the distinct words of a batch, so the character CNN runs once for each.
"""

from functools import lru_cache
from typing import NamedTuple, Optional, Tuple

import torch

__all__ = ["DistinctWords", "distinct_words"]

# Odd, and without a pattern: 2 ** 64 divided by the golden ratio, as a signed number.
MULTIPLIER = -7046029254386353131


class DistinctWords(NamedTuple):
    """
    The distinct words among some tokens.

    # Parameters

    character_ids : `torch.Tensor`
        Shape (words, characters), int64.
    word_ids : `Optional[torch.Tensor]`
        Shape (words,), int64.
    word_of_token : `torch.Tensor`
        Shape (tokens,), int64: the word of each token.
    """

    character_ids: torch.Tensor
    word_ids: Optional[torch.Tensor]
    word_of_token: torch.Tensor


def distinct_words(
    character_ids: torch.Tensor, word_ids: Optional[torch.Tensor] = None
) -> DistinctWords:
    """
    Finds the distinct words of a batch.

    # Parameters

    character_ids : `torch.Tensor`
        Shape (tokens, characters), int64.
    word_ids : `torch.Tensor`, optional (default = `None`)
        Shape (tokens,), int64. Tokens with different ids are different words.

    # Returns

    `DistinctWords`
        Words in an order that depends on their characters and ids alone.
    """
    if word_ids is None:
        words, index = _distinct_rows(character_ids)
        return DistinctWords(words, None, index)
    rows, index = _distinct_rows(torch.cat([character_ids, word_ids.unsqueeze(1)], dim=1))
    return DistinctWords(rows[:, :-1], rows[:, -1], index)


def _distinct_rows(rows: torch.Tensor) -> Tuple[torch.Tensor, torch.Tensor]:
    # Sorting one hash for each row is far faster than sorting rows.
    hashes = (rows * _factors(rows.size(1)).to(rows.device)).sum(dim=1)
    distinct_hashes, index = hashes.unique(return_inverse=True)
    first = torch.empty_like(distinct_hashes)
    first[index] = torch.arange(len(rows), device=rows.device)
    distinct = rows.index_select(0, first)
    if torch.equal(distinct.index_select(0, index), rows):
        return distinct, index
    # Two different rows have the same hash.
    return torch.unique(rows, dim=0, return_inverse=True)


@lru_cache(maxsize=None)
def _factors(size: int) -> torch.Tensor:
    with torch.inference_mode(False):
        factors = torch.arange(1, size + 1) * MULTIPLIER
        return factors ^ (factors >> 29)
