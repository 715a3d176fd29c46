"""
The command `python -m reliability.kills`.
"""

import argparse
import logging
import random
import shutil
import sys
import warnings
from pathlib import Path
from tempfile import mkdtemp
from typing import Dict, List

import torch
from allennlp.common.tqdm import Tqdm

from reliability.kills.processes import Run, run_training
from reliability.kills.results import read_metrics
from reliability.kills.trainings import TRAININGS, write_experiment
from reliability.kills.trials import Trial, run_trial


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m reliability.kills",
        description="Kills small trainings at random moments, and checks that 'allennlp train "
        "--recover' ends with the numbers of trainings that ran through.",
    )
    parser.add_argument("--kills", type=int, default=30, help="kills of each training")
    parser.add_argument("--seed", type=int, default=0, help="seed of the moments")
    parser.add_argument("--only", choices=sorted(TRAININGS), help="a single training")
    return parser.parse_args()


def _run_unbroken(name: str, config: Path, folder: Path) -> Run:
    log = folder.with_suffix(".log")
    unbroken = run_training(config, folder, log)
    if unbroken.exit_code != 0:
        raise RuntimeError(f"The training '{name}' failed; see '{log}'.")
    return unbroken


def _run_kills(name: str, folder: Path, num_kills: int, seed: int) -> List[Trial]:
    """Runs trials until a training was killed often enough."""
    folder.mkdir()
    config = write_experiment(name, folder)
    expected = folder / "unbroken"
    unbroken = _run_unbroken(name, config, expected)
    drawn = random.Random(f"{seed} {name}")
    trials: List[Trial] = []
    with Tqdm.tqdm(total=num_kills, desc=name) as progress:
        while progress.n < num_kills:
            trial_folder = folder / f"trial_{len(trials)}"
            trial = run_trial(config, expected, trial_folder, unbroken, drawn)
            trials.append(trial)
            progress.update(trial.num_kills)
            for problem in trial.problems:
                progress.write(f"{trial_folder.name}: {problem}")
            if not trial.problems:
                shutil.rmtree(trial_folder)
    print(f"{name}: {len(read_metrics(expected, training=True))} metrics and all weights compared")
    return trials


def _summary(trials: Dict[str, List[Trial]]) -> str:
    lines = ["", f"{'training':20}{'kills':>7}{'trainings':>11}{'equal':>7}{'leftovers':>11}"]
    for name, each in trials.items():
        killed = [trial for trial in each if trial.num_kills]
        lines.append(
            f"{name:20}{sum(trial.num_kills for trial in each):7}{len(killed):11}"
            f"{sum(not trial.problems for trial in killed):7}"
            f"{sum(trial.num_leftovers for trial in killed):11}"
        )
    within = sum(trial.was_resumed_within_last_epoch for each in trials.values() for trial in each)
    lines.append(
        f"Equal to the bit: metrics, best weights, last checkpoint, archive. In {within} trainings "
        "that went on within the last epoch, its training metrics cover the rest of it, and were "
        "not compared."
    )
    return "\n".join(lines)


def main() -> int:
    """
    Runs the kills, and prints a summary.

    # Returns

    `int`
        The exit code: 0 if every recovered training ended as the unbroken one.
    """
    arguments = _parse()
    logging.getLogger("allennlp").setLevel(logging.WARNING)
    warnings.simplefilter("ignore")
    # Forks need a process without OpenMP threads.
    torch.set_num_threads(1)
    folder = Path(mkdtemp(prefix="kills."))
    trials: Dict[str, List[Trial]] = {}
    for name in [arguments.only] if arguments.only else list(TRAININGS):
        trials[name] = _run_kills(name, folder / name, arguments.kills, arguments.seed)
    print(_summary(trials))
    if any(trial.problems for each in trials.values() for trial in each):
        print(f"The folders of the trainings that differ are kept in '{folder}'.")
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
