"""
The activation cache that caches nothing.
"""

from overrides import overrides

from allennlp_elmo_plugin.embedder.activation_cache.base import ActivationCache
from allennlp_elmo_plugin.embedder.encoder import ElmoEncoder, EncodedSentences
from allennlp_elmo_plugin.network.sentence_batch import SentenceBatch

__all__ = ["NoActivationCache"]


@ActivationCache.register("none")
class NoActivationCache(ActivationCache):
    """
    An activation cache that caches nothing: every sentence of every batch is encoded.

    Registered as an `ActivationCache` with name "none".
    """

    @overrides
    def forward(
        self, encoder: ElmoEncoder, batch: SentenceBatch, num_representations: int
    ) -> EncodedSentences:
        """Returns `encoder(batch, num_representations)`."""
        return encoder(batch, num_representations)
