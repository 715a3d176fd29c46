"""
The scores of one sentence, ready to be written.
"""

from math import exp
from typing import List, NamedTuple, Sequence

import numpy

from allennlp_elmo_plugin.language_model.metrics import MAX_LOSS
from allennlp_elmo_plugin.scoring.language_model import LanguageModel
from allennlp_elmo_plugin.scoring.style import ScoreStyle

__all__ = ["DIRECTIONS", "ScoredSentence", "perplexity", "score_sentence"]

DIRECTIONS = ("forward", "backward")


class ScoredSentence(NamedTuple):
    """
    The scores of a sentence in both directions.

    # Parameters

    scores : `numpy.ndarray`
        Shape (2, tokens + 1), float32, in the form of the style: those of the tokens, then that of
        the boundary at which the direction ends. NaN is left out.
    ranks : `numpy.ndarray`
        Shape (2, tokens + 1), int64: the ranks, from 1. 0 is left out.
    unknown : `List[int]`
        Positions of the tokens that are not in the vocabulary, from 0.
    num_counted : `int`
        The number of predictions of a direction that count.
    sums : `List[float]`
        The sum of the log probabilities that count, in nats, of each direction.
    """

    scores: numpy.ndarray
    ranks: numpy.ndarray
    unknown: List[int]
    num_counted: int
    sums: List[float]

    @property
    def perplexities(self) -> List[float]:
        """The perplexity of each direction."""
        return [perplexity(each, self.num_counted) for each in self.sums]

    @property
    def perplexity(self) -> float:
        """The perplexity of both directions, which is the geometric mean of theirs."""
        return perplexity(sum(self.sums), 2 * self.num_counted)


def score_sentence(
    tokens: Sequence[str], results: numpy.ndarray, language_model: LanguageModel, style: ScoreStyle
) -> ScoredSentence:
    """
    Puts the results of a scorer into a style.

    # Parameters

    tokens : `Sequence[str]`
        The tokens of a sentence.
    results : `numpy.ndarray`
        Shape (2, tokens + 1, 2), float32, from `ElmoScorer`.
    language_model : `LanguageModel`
        The model, which knows its vocabulary.
    style : `ScoreStyle`
        The style.

    # Returns

    `ScoredSentence`
    """
    log_probabilities, ranks = results[..., 0], results[..., 1].astype("int64")
    unknown = [at for at, token in enumerate(tokens) if language_model.is_unknown(token)]
    counts = numpy.ones(len(tokens) + 1, dtype=bool)
    scores = style.scores(log_probabilities)
    if style.leaves_out_unknown and unknown:
        counts[unknown] = False
        scores, ranks = numpy.where(counts, scores, numpy.nan), numpy.where(counts, ranks, 0)
    sums = log_probabilities[:, counts].sum(axis=1, dtype="float64").tolist()
    return ScoredSentence(
        numpy.ascontiguousarray(scores, dtype="float32"), ranks, unknown, int(counts.sum()), sums
    )


def perplexity(log_probability: float, num_predictions: int) -> float:
    """
    Returns the perplexity of some predictions.

    # Parameters

    log_probability : `float`
        The sum of their log probabilities, in nats.
    num_predictions : `int`
        Their number, 1 or more.
    """
    return exp(min(-log_probability / num_predictions, MAX_LOSS))
