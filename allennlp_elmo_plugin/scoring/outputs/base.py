"""
The base class of all formats of scores.
"""

from abc import abstractmethod
from typing import Any, Dict

import numpy
from allennlp.common.checks import ConfigurationError
from overrides import overrides

from allennlp_elmo_plugin.extraction.outputs.base import Output
from allennlp_elmo_plugin.extraction.result_shape import ResultShape
from allennlp_elmo_plugin.extraction.sentence import Sentence
from allennlp_elmo_plugin.io.journaled_file import JournaledFile
from allennlp_elmo_plugin.scoring.language_model import LanguageModel
from allennlp_elmo_plugin.scoring.scored_sentence import ScoredSentence, score_sentence
from allennlp_elmo_plugin.scoring.style import ScoreStyle
from allennlp_elmo_plugin.scoring.totals import ScoreTotals

__all__ = ["TOTALS", "ScoreOutput", "require_finite"]

TOTALS = "totals"
"""Key of the totals in a commit's record."""


class ScoreOutput(Output):
    """
    A file that receives the scores of a text, sentence by sentence.

    Each commit holds the totals of all sentences so far.

    # Parameters

    file : `JournaledFile`
        The unfinished file.
    shape : `ResultShape`
        Shape of all results.
    language_model : `LanguageModel`
        The model, which knows its vocabulary.
    style : `ScoreStyle`
        The form of the scores.
    """

    def __init__(
        self,
        file: JournaledFile,
        shape: ResultShape,
        language_model: LanguageModel,
        style: ScoreStyle,
    ) -> None:
        self._language_model, self._style = language_model, style
        self._totals = ScoreTotals(**(file.record or {}).get(TOTALS, {}))
        super().__init__(file, shape)

    @overrides
    def commit(self, record: Dict[str, Any]) -> None:
        super().commit({**record, TOTALS: self._totals.as_json()})

    @overrides
    def _write(self, sentence: Sentence, vectors: numpy.ndarray) -> None:
        require_finite(sentence, vectors)
        scored = score_sentence(sentence.tokens, vectors, self._language_model, self._style)
        self._write_scores(sentence, scored)
        self._totals.add(scored)

    @abstractmethod
    def _write_scores(self, sentence: Sentence, scored: ScoredSentence) -> None:
        """Writes the scores of a sentence."""


def require_finite(sentence: Sentence, results: numpy.ndarray) -> None:
    """
    Checks the results of a scorer.

    # Parameters

    sentence : `Sentence`
        The sentence.
    results : `numpy.ndarray`
        Its results.

    # Raises

    `ConfigurationError`
        If a number is not finite.
    """
    if not numpy.isfinite(results).all():
        raise ConfigurationError(
            f"Expected finite scores, but the sentence {sentence.key!r} has some that are not. "
            "Check the weights of the biLM and of its softmax."
        )
