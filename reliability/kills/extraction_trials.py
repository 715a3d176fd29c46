"""
One trial: an extraction is killed, resumed until it is done, and compared.
"""

import random
import signal
from functools import partial
from pathlib import Path
from typing import Callable, Dict, List, Optional

from allennlp_elmo_plugin.extraction import job
from reliability.kills.extraction_results import OLDER, OutputWatch, differences
from reliability.kills.extractions import EXTRACTIONS, Extraction, write_input
from reliability.kills.processes import INTERRUPTED, Moment, Run, draw_moment, run_command
from reliability.kills.trial import Trial

__all__ = ["prepare_extractions"]

SHARE_OF_INTERRUPTIONS = 0.2
SHARE_OF_OLDER_OUTPUTS = 0.5
MAX_KILLS = 3
SETTINGS = "settings.json"
"""Name of the file with which unfinished work begins."""
ADVICE = "with --resume to go on"


def prepare_extractions(folder: Path) -> Callable[[Path, random.Random], Trial]:
    """
    Runs every extraction once, and returns a function that runs trials.

    # Parameters

    folder : `Path`
        An empty folder.

    # Returns

    `Callable[[Path, Random], Trial]`
        Function of a folder that does not exist, and of a source of randomness.
    """
    # Each window is committed, so kills hit all phases. The processes are forks of this one.
    job.COMMIT_SECONDS = 0.0
    inputs, expected = folder / "inputs", folder / "unbroken"
    for path in (inputs, expected):
        path.mkdir()
    write_input(inputs)
    unbroken: Dict[str, Run] = {}
    for name in EXTRACTIONS:
        extraction = Extraction(name, inputs, expected)
        log = folder / f"{name}.log"
        unbroken[name] = _run(extraction, resumes=False, log=log)
        if unbroken[name].exit_code != 0:
            raise RuntimeError(f"The extraction '{name}' failed; see '{log}'.")
    return partial(_run_trial, inputs, expected, unbroken)


def _run_trial(
    inputs: Path, expected: Path, unbroken: Dict[str, Run], folder: Path, drawn: random.Random
) -> Trial:
    """Kills an extraction up to three times, resumes it, and compares its results."""
    first, second, *others = EXTRACTIONS
    name = drawn.choice([drawn.choice([first, second]), drawn.choice(others)])
    extraction, undisturbed = (Extraction(name, inputs, each) for each in (folder, expected))
    folder.mkdir()
    if drawn.random() < SHARE_OF_OLDER_OUTPUTS:
        for path in extraction.paths:
            path.write_bytes(OLDER)
    watch = OutputWatch(extraction, undisturbed)
    moments: List[Optional[Moment]] = [
        _draw(drawn, unbroken[name]) for _ in range(drawn.randint(1, MAX_KILLS))
    ]
    log = folder.with_suffix(".log")
    num_kills = 0
    for moment in (*moments, None):
        resumes = num_kills > 0
        ended = _run(extraction, resumes, log, moment, watch)
        if not ended.was_killed:
            break
        num_kills += 1
        if ended.exit_code == INTERRUPTED and (extraction.working_folder / SETTINGS).exists():
            watch.problems += _problems_of_interruption(log)
    problems = [*watch.problems]
    if ended.exit_code != 0:
        problems.append(f"the last run ended with code {ended.exit_code}; see '{log}'")
    for path, other in zip(extraction.paths, undisturbed.paths):
        problems += differences(other, path)
    names = {path.name for path in extraction.paths}
    leftovers = [path.name for path in folder.iterdir() if path.name not in names]
    if leftovers:
        problems.append(f"left over: {', '.join(leftovers)}")
    if problems:
        problems.append(f"it was '{name}', with the signals {moments[:num_kills]}")
    else:
        log.unlink()
    return Trial(num_kills, problems, len(leftovers))


def _draw(drawn: random.Random, unbroken: Run) -> Moment:
    moment = draw_moment(drawn, unbroken)
    is_interruption = drawn.random() < SHARE_OF_INTERRUPTIONS
    return moment._replace(signal=signal.SIGINT) if is_interruption else moment


def _run(
    extraction: Extraction,
    resumes: bool,
    log: Path,
    moment: Optional[Moment] = None,
    watch: Optional[OutputWatch] = None,
) -> Run:
    # Each run has a log of its own.
    log.unlink(missing_ok=True)
    folders = [extraction.folder, extraction.working_folder]
    arguments = extraction.arguments(resumes)
    if watch is None:
        return run_command(arguments, folders, log, moment)
    return run_command(arguments, folders, log, moment, watch.look)


def _problems_of_interruption(log: Path) -> List[str]:
    if ADVICE in log.read_text(encoding="utf-8"):
        return []
    return ["an interruption left work without a word on how to resume it"]
