"""
The activation cache that caches nothing.
"""

from typing import Optional

import torch
from overrides import overrides

from allennlp_elmo_plugin.embedder.activation_cache.base import ActivationCache
from allennlp_elmo_plugin.embedder.encoder import ElmoEncoder, EncodedSentences

__all__ = ["NoActivationCache"]


@ActivationCache.register("none")
class NoActivationCache(ActivationCache):
    """
    Computes every sentence of every batch.

    Registered as an `ActivationCache` with name "none".
    """

    @overrides
    def forward(
        self,
        encoder: ElmoEncoder,
        character_ids: torch.Tensor,
        word_ids: Optional[torch.Tensor],
        num_representations: int,
    ) -> EncodedSentences:
        """Returns `encoder(character_ids, word_ids, num_representations)`."""
        return encoder(character_ids, word_ids, num_representations)
