"""
The task that writes the scores of a text.
"""

from pathlib import Path
from typing import Any, Dict, Optional, Tuple, Type

from overrides import overrides

from allennlp_elmo_plugin.extraction.outputs.base import Output
from allennlp_elmo_plugin.extraction.outputs.by_ending import output_by_ending
from allennlp_elmo_plugin.extraction.result_shape import ResultShape
from allennlp_elmo_plugin.extraction.task import ExtractionTask
from allennlp_elmo_plugin.io.journaled_file import JournaledFile
from allennlp_elmo_plugin.scoring.language_model import LanguageModel
from allennlp_elmo_plugin.scoring.outputs.base import ScoreOutput
from allennlp_elmo_plugin.scoring.outputs.hdf5 import Hdf5Scores
from allennlp_elmo_plugin.scoring.outputs.jsonl import JsonLinesScores
from allennlp_elmo_plugin.scoring.outputs.tsv import TsvScores
from allennlp_elmo_plugin.scoring.scorer import ElmoScorer
from allennlp_elmo_plugin.scoring.style import ScoreStyle, require_unit

__all__ = ["ScoringTask"]

OUTPUTS: Tuple[Type[ScoreOutput], ...] = (JsonLinesScores, TsvScores, Hdf5Scores)


class ScoringTask(ExtractionTask[ElmoScorer]):
    """
    A task that writes the scores of every token of the input.

    # Parameters

    output : `Path`
        Path of the output, which ends in `.jsonl`, `.tsv`, `.hdf5` or `.h5`.
    style : `ScoreStyle`
        The form of the scores.

    # Raises

    `ConfigurationError`
        If the output has another ending, or if there is no such style.
    """

    def __init__(self, output: Path, style: ScoreStyle) -> None:
        require_unit(style.surprisal)
        super().__init__(output)
        self._style = style
        self._language_model: Optional[LanguageModel] = None

    @overrides
    def find_output_class(self) -> Type[Output]:
        return output_by_ending(self.output, OUTPUTS)

    @overrides
    def require_fit(self, engine: ElmoScorer) -> None:
        # Any scorer does. Its vocabulary is needed later.
        self._language_model = engine.language_model

    @overrides
    def open_output(self, file: JournaledFile, shape: ResultShape) -> Output:
        make: Any = self.output_class
        opened: Output = make(file, shape, self._language_model, self._style)
        return opened

    @overrides
    def settings(self) -> Dict[str, Any]:
        style = self._style
        return {
            **super().settings(),
            "surprisal": style.surprisal,
            "unknown words left out": style.leaves_out_unknown,
        }
