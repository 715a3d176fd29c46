"""
The base class of the engines that run a biLM together with its softmax.
"""

from hashlib import blake2b
from typing import Any, List, Sequence

import torch
from overrides import overrides

from allennlp_elmo_plugin.extraction.engine import SentenceEngine
from allennlp_elmo_plugin.extraction.models import digest_of_weights
from allennlp_elmo_plugin.scoring.language_model import LanguageModel

__all__ = ["LanguageModelEngine"]


class LanguageModelEngine(SentenceEngine):
    """
    An engine that turns each sentence into an array, by way of a biLM and its softmax.

    # Parameters

    language_model : `LanguageModel`
        The biLM with its softmax.
    max_tokens : `int`, optional (default = `2048`)
        Largest number of positions of a batch; see `SentenceEngine`.
    batch_size : `int`, optional (default = `64`)
        The number of sentences of a batch if their order counts.

    # Raises

    `ConfigurationError`
        When a value is not as described.
    """

    def __init__(
        self, language_model: LanguageModel, max_tokens: int = 2048, batch_size: int = 64
    ) -> None:
        super().__init__(language_model.encoder, max_tokens, batch_size)
        self.language_model = language_model

    @overrides
    def digest(self) -> str:
        model = self.language_model
        words = blake2b("\n".join(model.words).encode(errors="surrogatepass"), digest_size=16)
        digests = digest_of_weights(self.encoder, None), model.distribution.digest()
        return " ".join([*digests, words.hexdigest()])

    def _top_layer(self, sentences: List[Sequence[str]]) -> Any:
        """Returns the outputs of the biLM's top layer, and the lengths with both boundaries."""
        with torch.inference_mode():
            character_ids = self.encoder.spelling.spell_sentences(sentences)
            batch = self.encoder.make_batch(character_ids.to(self._device))
            return self.encoder(batch).layers[-1], batch.lengths

    @overrides
    def _modules(self) -> List[torch.nn.Module]:
        return [self.encoder, self.language_model.distribution]
