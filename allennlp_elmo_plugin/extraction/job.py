"""
The run of an extraction, from a file of sentences to a file of results.
"""

import logging
import time
from itertools import islice
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

from allennlp.common import Tqdm
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.extraction.engine import SentenceEngine
from allennlp_elmo_plugin.extraction.inputs.sentence_file import SentenceFile
from allennlp_elmo_plugin.extraction.outputs.base import Output
from allennlp_elmo_plugin.extraction.plan import ExtractionPlan, make_plan, require_space
from allennlp_elmo_plugin.extraction.sentence import Sentence
from allennlp_elmo_plugin.extraction.task import ExtractionTask
from allennlp_elmo_plugin.extraction.working_folder import RESUMABLE, WorkingFolder
from allennlp_elmo_plugin.io.interrupts import deferred_interrupts
from allennlp_elmo_plugin.io.journaled_file import JournaledFile

__all__ = ["ExtractionJob", "ExtractionSummary"]

logger = logging.getLogger(__name__)

COMMIT_SECONDS = 10.0
NUM_READ, NUM_TOKENS = "num_read", "num_tokens"
"""Keys of a commit's record: the sentences of the input that are done with, and tokens that ran."""

NumberedSentence = Tuple[int, Sentence]


class ExtractionSummary(NamedTuple):
    """
    A summary of a finished extraction.

    # Parameters

    paths : `List[Path]`
        Paths of all files of the output.
    num_sentences : `int`
        The number of sentences in the output.
    num_tokens : `int`
        The number of tokens that were run, without those of interrupted runs.
    seconds : `float`
        Time of this run.
    record : `Dict[str, Any]`
        The record of the last commit, with what the output has put into it. It covers interrupted
        runs, too.
    """

    paths: List[Path]
    num_sentences: int
    num_tokens: int
    seconds: float
    record: Dict[str, Any]


class ExtractionJob:
    """
    A run of an engine over a file of sentences, which can be interrupted and resumed.

    The unfinished file lies in the folder `OUTPUT.partial`. It is committed after a window of
    sentences, every ten seconds. Windows depend on the input alone, so an extraction that goes on
    from a commit runs the same batches as one that was never interrupted. Without the kernels, the
    last digits may differ: the batches of the character CNN depend on what the word cache holds.

    # Parameters

    source : `SentenceFile`
        The sentences.
    engine : `SentenceEngine`
        The engine.
    task : `ExtractionTask`
        The task, which knows the output.
    resumes : `bool`, optional (default = `False`)
        If `True`, go on with unfinished work, if there is some. If `False`, such work is an error.
    settings : `Dict[str, Any]`, optional (default = `None`)
        Other things that the result depends on, values of JSON by their names.
    is_part : `bool`, optional (default = `False`)
        If `True`, this is a part of a larger extraction, which shows its own progress and tells how
        to go on after an error.

    # Raises

    `ConfigurationError`
        If the task cannot hold the engine's results, or if `resumes` is `True` and the order of
        sentences counts.
    """

    def __init__(
        self,
        source: SentenceFile,
        engine: SentenceEngine,
        task: ExtractionTask,
        resumes: bool = False,
        settings: Optional[Dict[str, Any]] = None,
        is_part: bool = False,
    ) -> None:
        task.require_fit(engine)
        if resumes and engine.order_counts:
            raise ConfigurationError(
                "Expected results that depend on their sentence alone to resume a run, but "
                f"{engine.encoder.uncacheable_reason()}. Start again without --resume, or take "
                "another initial state."
            )
        self._source, self._engine, self._task = source, engine, task
        self._settings = settings or {}
        self._folder = WorkingFolder(task.output)
        self._resumes = resumes
        self._is_part = is_part

    def plan(self) -> ExtractionPlan:
        """
        Reads the whole input and plans the extraction.

        # Returns

        `ExtractionPlan`

        # Raises

        `ConfigurationError`
            If the input has faults, or if there is unfinished work that is not to be resumed.
        """
        if not self._resumes:
            self._folder.require_unused()
        return make_plan(self._source, self._engine, self._task)

    def settings(self, plan: ExtractionPlan) -> Dict[str, Any]:
        """
        Returns everything that the result depends on.

        # Parameters

        plan : `ExtractionPlan`
            Result of `plan`.

        # Returns

        `Dict[str, Any]`
            Values of JSON by their names.
        """
        engine = self._engine
        return {
            "input": plan.survey.digest,
            "weights": engine.digest(),
            **engine.settings(),
            **self._task.settings(),
            **self._settings,
            RESUMABLE: not engine.order_counts,
        }

    def run(self, plan: ExtractionPlan) -> ExtractionSummary:
        """
        Runs the extraction.

        # Parameters

        plan : `ExtractionPlan`
            Result of `plan`.

        # Returns

        `ExtractionSummary`

        # Raises

        `ConfigurationError`
            If the output does not fit on the disk, if its format cannot hold a key or a number, or
            if the unfinished work was begun with something else.
        `OSError`
            If the output cannot be written. What was committed stays in the folder.
        """
        started = time.monotonic()
        # A kill may have come between the end and the removal of the folder.
        if not JournaledFile.is_moved(self._folder.data_path):
            require_space(plan, self._task, self._folder.num_bytes())
        self._folder.begin(self.settings(plan))
        try:
            num_tokens = self._complete_output(plan)
        except BaseException:
            self._tell_what_is_left()
            raise
        record = JournaledFile.last_record(self._folder.data_path)
        self._folder.remove()
        return ExtractionSummary(
            self._task.output_class.paths(self._task.output),
            plan.shape.num_sentences,
            num_tokens,
            time.monotonic() - started,
            record or {},
        )

    def _complete_output(self, plan: ExtractionPlan) -> int:
        """Writes what is left, and returns the number of tokens that were run."""
        if JournaledFile.is_moved(self._folder.data_path):
            return 0
        file = JournaledFile(self._folder.data_path)
        # HDF5 would take Ctrl-C in the middle of reading for an error of the disk.
        with deferred_interrupts():
            opened = self._task.open_output(file, plan.shape)
        with opened as output:
            num_tokens = self._write(output, plan, file.record or {NUM_READ: 0, NUM_TOKENS: 0})
            output.finish(_Sentences(self._source, self._task), self._task.output)
        return num_tokens

    def _tell_what_is_left(self) -> None:
        if self._engine.order_counts:
            self._folder.remove()
        elif not self._is_part:
            logger.error(
                "The run has not come to its end. What is finished is kept in '%s': run the "
                "same command with --resume to go on.",
                self._folder.path,
            )

    def _write(self, output: Output, plan: ExtractionPlan, record: Dict[str, int]) -> int:
        """Writes the vectors of all sentences that are left, and returns the number of tokens."""
        done = record[NUM_TOKENS]
        committed = time.monotonic()
        with Tqdm.tqdm(
            total=plan.num_tokens,
            initial=done,
            unit=" tokens",
            unit_scale=True,
            disable=self._is_part,
        ) as progress:
            for window in self._windows(record[NUM_READ]):
                results = self._engine.run_window([each.tokens for _, each in window])
                num_new = sum(len(sentence.tokens) for _, sentence in window)
                done += num_new
                with deferred_interrupts():
                    for (_, sentence), vectors in zip(window, results):
                        output.write(sentence, vectors)
                    if time.monotonic() - committed > COMMIT_SECONDS:
                        output.commit({NUM_READ: window[-1][0] + 1, NUM_TOKENS: done})
                        committed = time.monotonic()
                progress.update(num_new)
        if not output.is_complete:
            output.commit({NUM_READ: plan.survey.num_sentences, NUM_TOKENS: done})
        return done - record[NUM_TOKENS]

    def _windows(self, num_read: int) -> Iterator[List[NumberedSentence]]:
        numbered = islice(enumerate(self._source), num_read, None)
        wanted = (each for each in numbered if self._task.wants(each[1]))
        return self._engine.windows(wanted, lambda each: len(each[1].tokens))


class _Sentences:
    """The sentences that are run, which can be iterated over more than once."""

    def __init__(self, source: SentenceFile, task: ExtractionTask) -> None:
        self._source, self._task = source, task

    def __iter__(self) -> Iterator[Sentence]:
        return filter(self._task.wants, self._source)
