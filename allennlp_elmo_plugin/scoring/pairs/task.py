"""
The task that scores minimal pairs.
"""

from pathlib import Path
from typing import Any, Dict, Optional, Tuple, Type

from allennlp.common.checks import ConfigurationError
from overrides import overrides

from allennlp_elmo_plugin.extraction.outputs.base import Output
from allennlp_elmo_plugin.extraction.outputs.by_ending import output_by_ending
from allennlp_elmo_plugin.extraction.result_shape import ResultShape
from allennlp_elmo_plugin.extraction.task import ExtractionTask
from allennlp_elmo_plugin.io.journaled_file import JournaledFile
from allennlp_elmo_plugin.scoring.language_model import LanguageModel
from allennlp_elmo_plugin.scoring.pairs.outputs import JsonLinesPairs, PairOutput, TsvPairs
from allennlp_elmo_plugin.scoring.pairs.preference import Preference
from allennlp_elmo_plugin.scoring.scorer import ElmoScorer
from allennlp_elmo_plugin.scoring.style import ScoreStyle

__all__ = ["PairsTask"]

OUTPUTS: Tuple[Type[PairOutput], ...] = (JsonLinesPairs, TsvPairs)


class PairsTask(ExtractionTask[ElmoScorer]):
    """
    A task that writes the scores of both sentences of each pair, and which one is preferred.

    # Parameters

    output : `Path`
        Path of the output, which ends in `.jsonl` or `.tsv`.
    preference : `Preference`
        The rule that chooses a sentence.
    leaves_out_unknown : `bool`, optional (default = `False`)
        If `True`, words outside of the vocabulary do not count. If `False`, all of them count as
        the one word `<UNK>`.

    # Raises

    `ConfigurationError`
        If the output has another ending, or if there is no such rule.
    """

    def __init__(
        self, output: Path, preference: Preference, leaves_out_unknown: bool = False
    ) -> None:
        preference.require_valid()
        super().__init__(output)
        self._preference = preference
        self._language_model: Optional[LanguageModel] = None
        self._style = ScoreStyle(leaves_out_unknown=leaves_out_unknown)

    @overrides
    def find_output_class(self) -> Type[Output]:
        return output_by_ending(self.output, OUTPUTS)

    @overrides
    def require_fit(self, engine: ElmoScorer) -> None:
        if engine.order_counts:
            raise ConfigurationError(
                "Expected scores that depend on their sentence alone to compare those of two, but "
                f"{engine.encoder.uncacheable_reason()}. Take another initial state."
            )
        self._language_model = engine.language_model

    @overrides
    def open_output(self, file: JournaledFile, shape: ResultShape) -> Output:
        make: Any = self.output_class
        opened: Output = make(file, shape, self._language_model, self._style, self._preference)
        return opened

    @overrides
    def settings(self) -> Dict[str, Any]:
        return {
            **super().settings(),
            **self._preference.settings(),
            "unknown words left out": self._style.leaves_out_unknown,
        }
