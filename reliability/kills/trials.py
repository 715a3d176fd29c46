"""
One trial: a training is killed, recovered until it is done, and compared.
"""

import random
import shutil
from pathlib import Path
from typing import List, NamedTuple, Optional

from reliability.kills.processes import Moment, Run, run_training
from reliability.kills.results import differences, newest_checkpoint
from reliability.kills.trainings import NUM_EPOCHS

__all__ = ["Trial", "draw_moment", "run_trial"]

SHARE_OF_RANDOM_MOMENTS = 0.4
SHARE_OF_SECOND_KILLS = 0.25
WRITING_SECONDS = 0.004


class Trial(NamedTuple):
    """
    The outcome of a trial.

    # Parameters

    num_kills : `int`
        Number of kills, 0 if the training ended before.
    problems : `List[str]`
        Differences from the unbroken training, or the failure of a recovery.
    was_resumed_within_last_epoch : `bool`
        `True` if the training metrics of the last epoch cover only its rest.
    num_leftovers : `int`
        Number of hidden names in the folder at the end.
    """

    num_kills: int
    problems: List[str]
    was_resumed_within_last_epoch: bool
    num_leftovers: int


def draw_moment(drawn: random.Random, unbroken: Run) -> Moment:
    """
    Draws a moment within a training, more often while it writes a file.

    # Parameters

    drawn : `random.Random`
        The source of randomness.
    unbroken : `Run`
        The unbroken training.
    """
    if drawn.random() < SHARE_OF_RANDOM_MOMENTS:
        return Moment(drawn.uniform(0.0, unbroken.seconds))
    return Moment(drawn.uniform(0.0, WRITING_SECONDS), drawn.randrange(max(unbroken.num_files, 1)))


def run_trial(
    config: Path, expected: Path, folder: Path, unbroken: Run, drawn: random.Random
) -> Trial:
    """
    Kills a training once or twice, recovers it, and compares its results.

    # Parameters

    config : `Path`
        Path of the config.
    expected : `Path`
        The folder of the unbroken training.
    folder : `Path`
        A folder for this trial, which does not exist.
    unbroken : `Run`
        The unbroken training.
    drawn : `random.Random`
        The source of randomness.
    """
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
        ended = run_training(config, run, log, recover=run.is_dir(), moment=moment)
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
    return Trial(num_kills, problems, within_last_epoch, len(leftovers))
