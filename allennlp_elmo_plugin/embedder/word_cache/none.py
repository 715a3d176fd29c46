"""
The word cache that caches nothing.
"""

from typing import Optional

import torch
from overrides import overrides

from allennlp_elmo_plugin.embedder.word_cache.base import WordCache
from allennlp_elmo_plugin.network.char_cnn import CharCnn

__all__ = ["NoWordCache"]


@WordCache.register("none")
class NoWordCache(WordCache):
    """
    A word cache that caches nothing: each distinct word of each batch is computed.

    Registered as a `WordCache` with name "none".
    """

    @overrides
    def forward(
        self, character_ids: torch.Tensor, word_ids: Optional[torch.Tensor], char_cnn: CharCnn
    ) -> torch.Tensor:
        """Returns `char_cnn(character_ids)`."""
        return char_cnn(character_ids)
