"""
Planning an extraction: its sentences, its tokens, the space on the disk.
"""

import shutil
from typing import NamedTuple

from allennlp.common.checks import ConfigurationError
from allennlp.common.util import format_size

from allennlp_elmo_plugin.extraction.engine import SentenceEngine
from allennlp_elmo_plugin.extraction.inputs.sentence_file import SentenceFile
from allennlp_elmo_plugin.extraction.inputs.survey import Survey
from allennlp_elmo_plugin.extraction.result_shape import ResultShape
from allennlp_elmo_plugin.extraction.sentence import Sentence
from allennlp_elmo_plugin.extraction.task import ExtractionTask

__all__ = ["ExtractionPlan", "LackOfSpaceError", "make_plan", "require_space"]


class LackOfSpaceError(ConfigurationError):
    """
    An error for an output that does not fit on the disk.
    """


class ExtractionPlan(NamedTuple):
    """
    Sizes of an extraction, known before it starts.

    # Parameters

    survey : `Survey`
        Sizes of the input.
    num_tokens : `int`
        The number of tokens of the sentences that are run.
    shape : `ResultShape`
        Shape of all results.
    num_bytes : `int`
        Estimated size of the output.
    num_working_bytes : `int`
        Estimated space on the disk that is needed besides until the output is finished.
    """

    survey: Survey
    num_tokens: int
    shape: ResultShape
    num_bytes: int
    num_working_bytes: int


class _Counts:
    """Counts of the sentences that are run."""

    def __init__(self) -> None:
        self.num_sentences = self.num_tokens = self.num_key_bytes = self.num_text_bytes = 0

    def add(self, sentence: Sentence) -> None:
        self.num_sentences += 1
        self.num_tokens += len(sentence.tokens)
        self.num_key_bytes += len(sentence.key.encode("utf-8", "surrogatepass"))
        self.num_text_bytes += len(sentence.text.encode("utf-8", "surrogatepass"))


def make_plan(source: SentenceFile, engine: SentenceEngine, task: ExtractionTask) -> ExtractionPlan:
    """
    Reads the whole input and plans its extraction.

    # Parameters

    source : `SentenceFile`
        The sentences.
    engine : `SentenceEngine`
        The engine.
    task : `ExtractionTask`
        The task, which counts each sentence.

    # Returns

    `ExtractionPlan`

    # Raises

    `ConfigurationError`
        If the input has faults.
    """
    counts = _Counts()

    def count(sentence: Sentence) -> None:
        task.count(sentence)
        if task.wants(sentence):
            counts.add(sentence)

    survey = source.survey(count)
    shape = task.shape(counts.num_sentences, counts.num_tokens, engine)
    num_text_bytes = counts.num_text_bytes if task.has_sentence_index else 0
    sizes = (shape, counts.num_key_bytes, num_text_bytes)
    return ExtractionPlan(
        survey,
        counts.num_tokens,
        shape,
        task.output_class.num_bytes(*sizes),
        task.output_class.num_working_bytes(*sizes),
    )


def require_space(plan: ExtractionPlan, task: ExtractionTask, num_written_bytes: int) -> int:
    """
    Checks that the output fits on the disk.

    # Parameters

    plan : `ExtractionPlan`
        The plan.
    task : `ExtractionTask`
        The task, which knows the output.
    num_written_bytes : `int`
        Size of the unfinished output.

    # Returns

    `int`
        The free space in bytes.

    # Raises

    `LackOfSpaceError`
        If there is too little.
    """
    num_free = shutil.disk_usage(task.output.absolute().parent).free
    num_needed = plan.num_bytes + plan.num_working_bytes - num_written_bytes
    if num_needed > num_free:
        raise LackOfSpaceError(
            f"Expected {format_size(num_needed)} of free space for '{task.output}', found "
            f"{format_size(num_free)}. Free some, choose another disk, or write less: float16, one "
            "layer, or means."
        )
    return num_free
