"""
Lines that commands print before and after a run of the engine.
"""

import shutil
from pathlib import Path

from allennlp.common.util import format_size

from allennlp_elmo_plugin.extraction.job import ExtractionSummary
from allennlp_elmo_plugin.extraction.plan import ExtractionPlan
from allennlp_elmo_plugin.io.counted import counted

__all__ = ["print_plan", "print_written"]


def print_plan(plan: ExtractionPlan, output: Path) -> None:
    """
    Prints what was found in the input, and how much space the output takes.

    # Parameters

    plan : `ExtractionPlan`
        The plan.
    output : `Path`
        Path of the output.
    """
    free = shutil.disk_usage(output.absolute().parent).free
    survey = plan.survey
    print(
        f"Found {counted(survey.num_sentences, 'sentence')} with "
        f"{counted(survey.num_tokens, 'token')}, the longest with {survey.longest:,}."
        f"{_part(plan)}\n"
        f"'{output}' will take about {format_size(plan.num_bytes)}; {format_size(free)} are free."
    )


def print_written(summary: ExtractionSummary) -> None:
    """
    Prints what was written, and how fast.

    # Parameters

    summary : `ExtractionSummary`
        The summary.
    """
    print(
        f"Wrote {counted(summary.num_sentences, 'sentence')} to "
        f"{' and '.join(map(str, summary.paths))}: {counted(summary.num_tokens, 'token')} in "
        f"{summary.seconds:.1f} s, "
        f"{counted(round(summary.num_tokens / summary.seconds), 'token')} a second"
    )


def _part(plan: ExtractionPlan) -> str:
    num_run = plan.shape.num_sentences
    if num_run == plan.survey.num_sentences:
        return ""
    return f" {num_run:,} of them {'has' if num_run == 1 else 'have'} a target."
