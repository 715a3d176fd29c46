"""
The engine that gives log probabilities and ranks to the tokens of sentences.
"""

from typing import Any, Dict, Iterable, List, Optional, Sequence

import numpy
import torch
from allennlp.common.checks import ConfigurationError
from overrides import overrides

from allennlp_elmo_plugin.extraction.result_shape import ResultShape
from allennlp_elmo_plugin.network.spelling import BEGIN_OF_SENTENCE_TOKEN, END_OF_SENTENCE_TOKEN
from allennlp_elmo_plugin.scoring.contexts import center_of_window, context_windows
from allennlp_elmo_plugin.scoring.engine import LanguageModelEngine
from allennlp_elmo_plugin.scoring.language_model import LanguageModel

__all__ = ["ElmoScorer"]


class ElmoScorer(LanguageModelEngine):
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
        super().__init__(language_model, max_tokens, batch_size)
        if context is not None and context < 0:
            raise ConfigurationError(f"Expected 'context' to be at least 0, got {context}.")
        if context is not None and self.order_counts:
            raise ConfigurationError(
                "Got a 'context', for which parts of a sentence are run one by one, but "
                f"{self.encoder.uncacheable_reason()}. Take another initial state."
            )
        self.context = context

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
    def result_shape(self, num_sentences: int, num_tokens: int, dtype: str) -> ResultShape:
        num_predictions = num_tokens + num_sentences
        return ResultShape(num_sentences, num_predictions, 2, False, 2, dtype)

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

    def _score(
        self, vectors: torch.Tensor, sentences: List[Sequence[str]], end: str
    ) -> numpy.ndarray:
        """Returns the scores of all tokens of a batch, each sentence followed by a boundary."""
        word_id = self.language_model.word_id
        words = [word_id(token) for sentence in sentences for token in (*sentence, end)]
        targets = torch.tensor(words, dtype=torch.int64, device=vectors.device)
        found = self.language_model.distribution.score(vectors, targets)
        return torch.stack([found.log_probabilities, found.ranks.double()], 1).float().cpu().numpy()


def _last_first(vectors: torch.Tensor) -> torch.Tensor:
    """Puts the vector that predicts the boundary, which is the first, behind the others."""
    return torch.cat([vectors[1:], vectors[:1]])
