"""
The word cache that caches nothing.
"""

from typing import Optional

import torch
from overrides import overrides

from allennlp_elmo_plugin.embedder.word_cache.base import WordCache

__all__ = ["NoWordCache"]


@WordCache.register("none")
class NoWordCache(WordCache):
    """
    Computes every word of every batch, each distinct word once.

    Registered as a `WordCache` with name "none".
    """

    @overrides
    def forward(
        self,
        character_ids: torch.Tensor,
        word_ids: Optional[torch.Tensor],
        embed: torch.nn.Module,
    ) -> torch.Tensor:
        """Returns `embed(character_ids)`."""
        return embed(character_ids)
