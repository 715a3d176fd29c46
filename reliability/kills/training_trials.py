"""
One trial: a training is killed, recovered until it is done, and compared.
"""

import random
import shutil
from functools import partial
from pathlib import Path
from typing import Callable, List, Optional

from reliability.kills.processes import Moment, Run, draw_moment, run_command
from reliability.kills.training_results import differences, newest_checkpoint
from reliability.kills.trainings import NUM_EPOCHS, write_experiment
from reliability.kills.trial import Trial

__all__ = ["prepare_training"]

SHARE_OF_SECOND_KILLS = 0.25


def prepare_training(name: str, folder: Path) -> Callable[[Path, random.Random], Trial]:
    """
    Runs a training without a kill, and returns a function that runs trials.

    # Parameters

    name : `str`
        A key of `TRAININGS`.
    folder : `Path`
        An empty folder.

    # Returns

    `Callable[[Path, Random], Trial]`
        Function of a folder that does not exist, and of a source of randomness.
    """
    config = write_experiment(name, folder)
    expected = folder / "unbroken"
    log = expected.with_suffix(".log")
    unbroken = _run_training(config, expected, log)
    if unbroken.exit_code != 0:
        raise RuntimeError(f"The training '{name}' failed; see '{log}'.")
    return partial(_run_trial, config, expected, unbroken)


def _run_training(
    config: Path, folder: Path, log: Path, recover: bool = False, moment: Optional[Moment] = None
) -> Run:
    arguments = ["train", str(config), "-s", str(folder), *(["--recover"] if recover else [])]
    return run_command(arguments, [folder], log, moment)


def _run_trial(
    config: Path, expected: Path, unbroken: Run, folder: Path, drawn: random.Random
) -> Trial:
    """Kills a training once or twice, recovers it, and compares its results."""
    # A cache on disk lies beside the config, and starts empty.
    shutil.rmtree(config.parent / "cache", ignore_errors=True)
    folder.mkdir()
    run, log = folder / "run", folder / "log.txt"
    num_kills, within_last_epoch = 0, False
    moments: List[Optional[Moment]] = [draw_moment(drawn, unbroken)]
    if drawn.random() < SHARE_OF_SECOND_KILLS:
        moments.append(draw_moment(drawn, unbroken))
    for moment in (*moments, None):
        # A training that was killed before it made its folder has nothing to recover.
        ended = _run_training(config, run, log, recover=run.is_dir(), moment=moment)
        if not ended.was_killed:
            break
        num_kills += 1
        newest = newest_checkpoint(run) if run.is_dir() else None
        if newest is not None and newest[0] == NUM_EPOCHS - 1 and newest[1] > 0:
            within_last_epoch = True
    if ended.was_killed or ended.exit_code != 0:
        problems = [f"the recovery ended with code {ended.exit_code}; see '{log}'"]
    else:
        problems = differences(expected, run, folder, training=not within_last_epoch)
    leftovers = list(run.glob(".*")) if run.is_dir() else []
    return Trial(num_kills, problems, len(leftovers), within_last_epoch)
