"""
The base class of activation caches.
"""

from typing import Optional

import torch
from allennlp.common import Registrable

from allennlp_elmo_plugin.embedder.encoder import ElmoEncoder, EncodedSentences
from allennlp_elmo_plugin.network.sentence_batch import SentenceBatch

__all__ = ["ActivationCache"]


class ActivationCache(torch.nn.Module, Registrable):
    """
    A cache of an encoder's layers, so each sentence is encoded once.
    """

    default_implementation = "none"

    def require_cacheable(self, encoder: ElmoEncoder) -> None:
        """
        Raises an error for an encoder whose layers cannot be cached.

        It is called once, when the embedder is built.

        # Parameters

        encoder : `ElmoEncoder`
            The encoder that computes the layers.

        # Raises

        `ConfigurationError`
            When a sentence's layers depend on more than the sentence, or the encoder is trained.
        """

    def flush(self) -> None:
        """Writes the layers that wait in memory."""

    def summary(self) -> Optional[str]:
        """Returns a sentence on hits, misses and size, or `None` if there is nothing to say."""
        return None

    def forward(
        self, encoder: ElmoEncoder, batch: SentenceBatch, num_representations: int
    ) -> EncodedSentences:
        """
        Returns the layers of a batch, from the cache or from the encoder.

        # Parameters

        encoder : `ElmoEncoder`
            The encoder that computes the layers of sentences that are not in the cache.
        batch : `SentenceBatch`
            The sentences.
        num_representations : `int`
            The number of layers to return, from the first.

        # Returns

        `EncodedSentences`
            The layers that the encoder computes for the batch.
        """
        raise NotImplementedError(f"{type(self).__name__} gives no layers")
