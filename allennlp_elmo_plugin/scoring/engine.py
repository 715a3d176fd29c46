"""
The base class of the engines that run a biLM together with its softmax.
"""

import os
from hashlib import blake2b
from typing import Any, List, Optional, Sequence, Type, TypeVar, Union

import torch
from overrides import overrides

from allennlp_elmo_plugin.embedder.initial_state.base import InitialState
from allennlp_elmo_plugin.extraction.engine import SentenceEngine
from allennlp_elmo_plugin.extraction.models import digest_of_weights
from allennlp_elmo_plugin.scoring.language_model import LanguageModel, load_language_model

__all__ = ["LanguageModelEngine"]

Engine = TypeVar("Engine", bound="LanguageModelEngine")


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

    @classmethod
    def load(
        cls: Type[Engine],
        model: Union[str, "os.PathLike[str]"],
        weight_file: Union[str, "os.PathLike[str]", None] = None,
        softmax: Union[str, "os.PathLike[str]", None] = None,
        vocabulary: Union[str, "os.PathLike[str]", None] = None,
        precision: Optional[str] = None,
        initial_state: Union[str, InitialState] = "warm",
        warm_up: Optional[Sequence[str]] = None,
        module: Optional[str] = None,
        device: Union[int, str, torch.device] = "cpu",
        **options: Any,
    ) -> Engine:
        """
        Loads a biLM with its softmax and builds an engine with it.

        # Parameters

        model, weight_file, softmax, vocabulary, precision, initial_state, warm_up, module, device :
            As for `load_language_model`.
        options : `Any`
            Other arguments of the class, by their names.

        # Returns

        `LanguageModelEngine`
            An engine of this class.

        # Raises

        `ConfigurationError`
            When a file is missing, damaged or does not fit, or a value is not as described.
        """
        language_model = load_language_model(
            model,
            weight_file,
            softmax,
            vocabulary,
            precision,
            initial_state,
            warm_up,
            module,
            device,
        )
        return cls(language_model, **options)

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
