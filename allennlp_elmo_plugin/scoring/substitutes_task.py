"""
The task that writes substitutes for the tokens of a text.
"""

from collections import Counter
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Type

from allennlp.common.checks import ConfigurationError
from overrides import overrides

from allennlp_elmo_plugin.extraction.outputs.base import Output
from allennlp_elmo_plugin.extraction.result_shape import ResultShape
from allennlp_elmo_plugin.extraction.sentence import Sentence
from allennlp_elmo_plugin.extraction.targets import positions
from allennlp_elmo_plugin.extraction.task import ExtractionTask
from allennlp_elmo_plugin.io.journaled_file import JournaledFile
from allennlp_elmo_plugin.scoring.substitutes import SubstituteFinder
from allennlp_elmo_plugin.scoring.substitutes_output import (
    GzippedSubstitutesOutput,
    SubstitutesOutput,
)

__all__ = ["SubstitutesTask"]

OUTPUTS = (SubstitutesOutput, GzippedSubstitutesOutput)


class SubstitutesTask(ExtractionTask[SubstituteFinder]):
    """
    A task that writes substitutes for all tokens, or for all occurrences of some words.

    With targets, only sentences with one of them are run, unless the order of sentences counts.

    # Parameters

    output : `Path`
        Path of the output, which ends in `.jsonl` or `.jsonl.gz`.
    targets : `Mapping[str, str]`, optional (default = `None`)
        The lemma of each token that is a target. `None` is for all tokens.

    # Raises

    `ConfigurationError`
        If the output has another ending.
    """

    num_occurrences: "Counter[str]"
    """The number of occurrences of each lemma, once the input was counted."""

    def __init__(self, output: Path, targets: Optional[Mapping[str, str]] = None) -> None:
        super().__init__(output)
        self.targets = targets
        self.num_occurrences = Counter()
        self._finder: Optional[SubstituteFinder] = None

    @overrides
    def find_output_class(self) -> Type[Output]:
        for output_class in OUTPUTS:
            if self.output.name.lower().endswith(output_class.endings):
                return output_class
        raise ConfigurationError(
            "Expected an output that ends in .jsonl or .jsonl.gz for substitutes, got "
            f"'{self.output}'."
        )

    @overrides
    def require_fit(self, engine: SubstituteFinder) -> None:
        self._finder = engine

    @overrides
    def count(self, sentence: Sentence) -> None:
        if self.targets is not None:
            for position in positions(sentence, self.targets):
                self.num_occurrences[self.targets[sentence.tokens[position]]] += 1

    @overrides
    def wants(self, sentence: Sentence) -> bool:
        if self.targets is None or (self._finder is not None and self._finder.order_counts):
            return True
        return any(token in self.targets for token in sentence.tokens)

    @overrides
    def shape(self, num_sentences: int, num_tokens: int, engine: SubstituteFinder) -> ResultShape:
        if self.targets is not None:
            num_tokens = sum(self.num_occurrences.values())
        return super().shape(num_sentences, num_tokens, engine)

    @overrides
    def open_output(self, file: JournaledFile, shape: ResultShape) -> Output:
        make: Any = self.output_class
        opened: Output = make(file, shape, self._finder, self.targets)
        return opened

    @overrides
    def settings(self) -> Dict[str, Any]:
        targets = None if self.targets is None else dict(self.targets)
        return {**super().settings(), "targets": targets}
