"""
All layers of whole sentences, kept so that a sentence is computed once.
"""

from typing import Optional

import torch
from allennlp.common import Registrable

from allennlp_elmo_plugin.embedder.encoder import ElmoEncoder, EncodedSentences

__all__ = ["ActivationCache"]


class ActivationCache(torch.nn.Module, Registrable):
    """
    Stands before an encoder and spares it sentences.
    """

    default_implementation = "none"

    def check(self, encoder: ElmoEncoder) -> None:
        """
        Called once, before the first batch.

        # Parameters

        encoder : `ElmoEncoder`
            What computes the layers.

        # Raises

        `ConfigurationError`
            When the encoder's layers cannot be kept.
        """

    def flush(self) -> None:
        """Writes what has not been written yet."""

    def summary(self) -> Optional[str]:
        """What the cache was good for, in a sentence, if there is something to say."""
        return None

    def forward(
        self,
        encoder: ElmoEncoder,
        character_ids: torch.Tensor,
        word_ids: Optional[torch.Tensor],
        num_representations: int,
    ) -> EncodedSentences:
        """
        # Parameters

        encoder : `ElmoEncoder`
            What computes the layers.
        character_ids : `torch.Tensor`
            Shape (batch, timesteps, characters), int64.
        word_ids : `Optional[torch.Tensor]`
            Shape (batch, timesteps), int64.
        num_representations : `int`
            How many layers are wanted, from the first.

        # Returns

        `EncodedSentences`
            What the encoder gives for these.
        """
        raise NotImplementedError(f"{type(self).__name__} gives no layers")
