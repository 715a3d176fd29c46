"""
The engine that finds substitutes for tokens: the words that a biLM expects in their places.
"""

from typing import Any, Dict, Iterable, List, Sequence, Tuple

import numpy
import torch
from allennlp.common.checks import ConfigurationError
from overrides import overrides

from allennlp_elmo_plugin.extraction.result_shape import ResultShape
from allennlp_elmo_plugin.language_model.vocabulary import PADDING_WORD, UNKNOWN_WORD
from allennlp_elmo_plugin.network.spelling import BEGIN_OF_SENTENCE_TOKEN, END_OF_SENTENCE_TOKEN
from allennlp_elmo_plugin.scoring.engine import LanguageModelEngine
from allennlp_elmo_plugin.scoring.language_model import LanguageModel

__all__ = ["BACKWARD", "COMBINED", "DISTRIBUTIONS", "FORWARD", "SubstituteFinder"]

FORWARD, BACKWARD, COMBINED = DISTRIBUTIONS = ("forward", "backward", "combined")
"""Names of the distributions that give candidates."""
NO_CANDIDATES = (BEGIN_OF_SENTENCE_TOKEN, END_OF_SENTENCE_TOKEN, UNKNOWN_WORD, PADDING_WORD)
"""Entries of a vocabulary that are no words."""


class SubstituteFinder(LanguageModelEngine):
    """
    An engine that turns sentences into the most probable words in the place of each token.

    The forward distribution knows the tokens before the place, and the backward distribution those
    behind it. The combined distribution is their product, normalized over the vocabulary: a word is
    probable there if neither side speaks against it. A mean of the two would keep each word that
    one side likes, even if it cannot stand before the other.

    `<S>`, `</S>`, `<UNK>` and `<PAD>` are no candidates. They keep their probability, so the log
    probabilities are those of the language model.

    # Parameters

    language_model : `LanguageModel`
        The biLM with its softmax.
    topn : `int`, optional (default = `10`)
        The number of candidates of each distribution.
    by : `Sequence[str]`, optional (default = `("forward", "backward", "combined")`)
        Names of the distributions, in the order of the results.
    keeps_token : `bool`, optional (default = `True`)
        If `False`, the token itself is no candidate either.
    max_tokens : `int`, optional (default = `2048`)
        Largest number of positions of a batch; see `SentenceEngine`.
    batch_size : `int`, optional (default = `64`)
        The number of sentences of a batch if their order counts.
    excluded_words : `Sequence[str]`, optional (default = `("<S>", "</S>", "<UNK>", "<PAD>")`)
        Words that are no candidates. Those that the vocabulary lacks are ignored.

    # Raises

    `ConfigurationError`
        When a value is not as described, or if the vocabulary has not as many candidates.
    """

    def __init__(
        self,
        language_model: LanguageModel,
        topn: int = 10,
        by: Sequence[str] = DISTRIBUTIONS,
        keeps_token: bool = True,
        max_tokens: int = 2048,
        batch_size: int = 64,
        excluded_words: Sequence[str] = NO_CANDIDATES,
    ) -> None:
        super().__init__(language_model, max_tokens, batch_size)
        unknown = [name for name in by if name not in DISTRIBUTIONS]
        if unknown or not by or len(set(by)) < len(by):
            raise ConfigurationError(
                f"Expected 'by' to be one or more of {', '.join(DISTRIBUTIONS)}, each once, got "
                f"{list(by)}."
            )
        excluded = [row for row, w in enumerate(language_model.words) if w in excluded_words]
        # One more, of which the token may be one.
        self._num_best = topn if keeps_token else topn + 1
        num_candidates = len(language_model.words) - len(excluded)
        if not 1 <= topn <= num_candidates - (self._num_best - topn):
            raise ConfigurationError(
                f"Expected 'topn' to be from 1 to {num_candidates - (self._num_best - topn)}, the "
                f"number of candidates in the vocabulary, got {topn}."
            )
        self.topn, self.by, self.keeps_token = topn, tuple(by), keeps_token
        self._excluded = excluded

    def find(self, sentences: Iterable[Sequence[str]]) -> List[numpy.ndarray]:
        """
        Returns the substitutes for all tokens of sentences.

        # Parameters

        sentences : `Iterable[Sequence[str]]`
            The tokens of each sentence. `stream` takes sentences without an end, and its arrays go
            into `candidates`.

        # Returns

        `List[numpy.ndarray]`
            An array for each sentence, float32, of shape (distributions, tokens, topn, 2), with the
            distributions in the order of `by` and the most probable candidate first. `[..., 0]` is
            the number of a word, its place in `language_model.words`. `[..., 1]` is its log
            probability in nats.

        # Raises

        `ConfigurationError`
            When the sentences are not as described.
        """
        return [self.candidates(found) for found in self.stream(sentences)]

    def candidates(self, found: numpy.ndarray) -> numpy.ndarray:
        """
        Returns a result of `stream` or `run_window` in the shape of those of `find`.

        # Parameters

        found : `numpy.ndarray`
            Shape (distributions, tokens, 2 * topn), as an output file takes it.

        # Returns

        `numpy.ndarray`
            Shape (distributions, tokens, topn, 2).
        """
        return found.reshape(*found.shape[:2], self.topn, 2)

    @overrides
    def result_shape(self, num_sentences: int, num_tokens: int, dtype: str) -> ResultShape:
        return ResultShape(num_sentences, num_tokens, len(self.by), False, 2 * self.topn, dtype)

    @overrides
    def settings(self) -> Dict[str, Any]:
        return {
            "topn": self.topn,
            "by": list(self.by),
            "keeps token": self.keeps_token,
            "excluded": self._excluded,
            **super().settings(),
        }

    @overrides
    def _run(self, sentences: List[Sequence[str]]) -> List[numpy.ndarray]:
        top, lengths = self._top_layer(sentences)
        size = top.size(-1) // 2
        # Position 0 is <S>. Each token is predicted by the outputs of its two neighbours.
        rows = [(row, length) for row, length in enumerate(lengths)]
        forward = torch.cat([top[row, : length - 2, :size] for row, length in rows])
        backward = torch.cat([top[row, 2:length, size:] for row, length in rows])
        tokens = [token for sentence in sentences for token in sentence]
        found = [self._find(name, forward, backward, tokens) for name in self.by]
        starts = numpy.cumsum([len(sentence) for sentence in sentences])[:-1]
        return [part.copy() for part in numpy.split(numpy.stack(found), starts, axis=1)]

    def _find(
        self, name: str, forward: torch.Tensor, backward: torch.Tensor, tokens: List[str]
    ) -> numpy.ndarray:
        """Returns the candidates of a distribution for all tokens of a batch."""
        vectors = backward if name == BACKWARD else forward
        others = backward if name == COMBINED else None
        excluded = torch.tensor(self._excluded, dtype=torch.int64, device=vectors.device)
        best = self.language_model.distribution.best(vectors, self._num_best, others, excluded)
        if not self.keeps_token:
            best = self._without_tokens(best, tokens)
        # float32 holds the numbers of 16,777,216 words.
        return torch.stack([each.float() for each in best], 2).flatten(1).cpu().numpy()

    def _without_tokens(
        self, best: Tuple[torch.Tensor, torch.Tensor], tokens: List[str]
    ) -> Tuple[torch.Tensor, torch.Tensor]:
        """Leaves out of each row its own token, or the last candidate if it is not among them."""
        words, log_probabilities = best
        own = [
            -1 if self.language_model.is_unknown(t) else self.language_model.word_id(t)
            for t in tokens
        ]
        is_own = words == torch.tensor(own, device=words.device).unsqueeze(1)
        order = is_own.to(torch.uint8).sort(dim=1, stable=True).indices[:, : self.topn]
        return words.gather(1, order), log_probabilities.gather(1, order)
