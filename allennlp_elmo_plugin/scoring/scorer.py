"""
The engine that gives log probabilities and ranks to the tokens of sentences.
"""

import os
from hashlib import blake2b
from typing import Any, Dict, Iterable, List, Optional, Sequence, Union

import numpy
import torch
from allennlp.common.checks import ConfigurationError
from overrides import overrides

from allennlp_elmo_plugin.embedder.initial_state.base import InitialState
from allennlp_elmo_plugin.extraction.engine import SentenceEngine
from allennlp_elmo_plugin.extraction.models import digest_of_weights
from allennlp_elmo_plugin.network.spelling import BEGIN_OF_SENTENCE_TOKEN, END_OF_SENTENCE_TOKEN
from allennlp_elmo_plugin.scoring.contexts import center_of_window, context_windows
from allennlp_elmo_plugin.scoring.language_model import LanguageModel, load_language_model

__all__ = ["ElmoScorer"]


class ElmoScorer(SentenceEngine):
    """
    An engine that turns sentences into the log probabilities and ranks of their tokens.

    The forward direction predicts each token from those before it, and the backward direction from
    those after it. Both also predict the boundary at which they end. They are the predictions that
    `allennlp evaluate` measures, sentence by sentence.

    # Parameters

    language_model : `LanguageModel`
        The biLM with its softmax.
    context : `int`, optional (default = `None`)
        The number of tokens from which each token is predicted, at most, with the boundary `<S>` or
        `</S>` before the first of them. `None` is the whole sentence.
    max_tokens : `int`, optional (default = `2048`)
        Largest number of positions of a batch; see `SentenceEngine`.
    batch_size : `int`, optional (default = `64`)
        The number of sentences of a batch if their order counts.

    # Raises

    `ConfigurationError`
        When a value is not as described, or if there is a `context` and the order counts.
    """

    def __init__(
        self,
        language_model: LanguageModel,
        context: Optional[int] = None,
        max_tokens: int = 2048,
        batch_size: int = 64,
    ) -> None:
        super().__init__(language_model.encoder, max_tokens, batch_size)
        if context is not None and context < 0:
            raise ConfigurationError(f"Expected 'context' to be at least 0, got {context}.")
        if context is not None and self.order_counts:
            raise ConfigurationError(
                "Got a 'context', for which parts of a sentence are run one by one, but "
                f"{self.encoder.uncacheable_reason()}. Take another initial state."
            )
        self.language_model = language_model
        self.context = context

    @classmethod
    def load(
        cls,
        model: Union[str, "os.PathLike[str]"],
        weight_file: Union[str, "os.PathLike[str]", None] = None,
        softmax: Union[str, "os.PathLike[str]", None] = None,
        vocabulary: Union[str, "os.PathLike[str]", None] = None,
        context: Optional[int] = None,
        max_tokens: int = 2048,
        batch_size: int = 64,
        precision: Optional[str] = None,
        initial_state: Union[str, InitialState] = "warm",
        warm_up: Optional[Sequence[str]] = None,
        module: Optional[str] = None,
        device: Union[int, str, torch.device] = "cpu",
    ) -> "ElmoScorer":
        """
        Loads a biLM with its softmax and builds a scorer with it.

        # Parameters

        model, weight_file, softmax, vocabulary, precision, initial_state, warm_up, module, device :
            As for `load_language_model`.
        context, max_tokens, batch_size :
            As above.

        # Returns

        `ElmoScorer`

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
        return cls(language_model, context, max_tokens, batch_size)

    def score(self, sentences: Iterable[Sequence[str]]) -> List[numpy.ndarray]:
        """
        Returns the scores of sentences.

        # Parameters

        sentences : `Iterable[Sequence[str]]`
            The tokens of each sentence. `stream` takes sentences without an end.

        # Returns

        `List[numpy.ndarray]`
            An array for each sentence, float32, of shape (2 directions, tokens + 1, 2). For token
            i, `[0, i]` has its log probability in nats and its rank, from 1, by the forward
            direction, and `[1, i]` by the backward one. The last is the boundary: `</S>` forward,
            `<S>` backward. A word outside of the vocabulary has the scores of `<UNK>`.

        # Raises

        `ConfigurationError`
            When the sentences are not as described.
        """
        return list(self.stream(sentences))

    @overrides
    def digest(self) -> str:
        model = self.language_model
        words = blake2b("\n".join(model.words).encode(errors="surrogatepass"), digest_size=16)
        digests = digest_of_weights(self.encoder, None), model.distribution.digest()
        return " ".join([*digests, words.hexdigest()])

    @overrides
    def settings(self) -> Dict[str, Any]:
        return {"context": self.context, **super().settings()}

    @overrides
    def run_window(self, window: Sequence[Sequence[str]]) -> List[numpy.ndarray]:
        if self.context is None:
            return super().run_window(window)
        results = []
        for sentence in window:
            self._check(sentence)
            parts = context_windows(list(sentence), self.context)
            scores = super().run_window([part.tokens for part in parts])
            results.append(center_of_window(parts, scores))
        return results

    @overrides
    def _run(self, sentences: List[Sequence[str]]) -> List[numpy.ndarray]:
        top, lengths = self._top_layer(sentences)
        predicting = [top[row, :length] for row, length in enumerate(lengths)]
        size = top.size(-1) // 2
        # Position 0 is <S>, from which the forward direction predicts the first token. The backward
        # direction predicts it from position 2.
        forward = torch.cat([vectors[:-1, :size] for vectors in predicting])
        backward = torch.cat([_last_first(vectors[1:, size:]) for vectors in predicting])
        ends = (END_OF_SENTENCE_TOKEN, BEGIN_OF_SENTENCE_TOKEN)
        scores = [
            self._score(vectors, sentences, end) for vectors, end in zip((forward, backward), ends)
        ]
        both = numpy.stack(scores)
        starts = numpy.cumsum([length - 1 for length in lengths])[:-1]
        return [part.copy() for part in numpy.split(both, starts, axis=1)]

    def _top_layer(self, sentences: List[Sequence[str]]) -> Any:
        with torch.inference_mode():
            character_ids = self.encoder.spelling.spell_sentences(sentences)
            batch = self.encoder.make_batch(character_ids.to(self._device))
            return self.encoder(batch).layers[-1], batch.lengths

    def _score(
        self, vectors: torch.Tensor, sentences: List[Sequence[str]], end: str
    ) -> numpy.ndarray:
        """Returns the scores of all tokens of a batch, each sentence followed by a boundary."""
        word_id = self.language_model.word_id
        words = [word_id(token) for sentence in sentences for token in (*sentence, end)]
        targets = torch.tensor(words, dtype=torch.int64, device=vectors.device)
        found = self.language_model.distribution.score(vectors, targets)
        return torch.stack([found.log_probabilities, found.ranks.double()], 1).float().cpu().numpy()

    @overrides
    def _modules(self) -> List[torch.nn.Module]:
        return [self.encoder, self.language_model.distribution]


def _last_first(vectors: torch.Tensor) -> torch.Tensor:
    """Puts the vector that predicts the boundary, which is the first, behind the others."""
    return torch.cat([vectors[1:], vectors[:1]])
