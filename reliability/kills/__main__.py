"""
The command `python -m reliability.kills`.
"""

import argparse
import logging
import random
import shutil
import sys
import warnings
from collections import Counter
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp
from typing import Callable, Dict, List, Optional

import torch
from allennlp.common.plugins import import_plugins
from allennlp.common.tqdm import Tqdm

from reliability.kills.distributed_trials import prepare_distributed
from reliability.kills.extraction_trials import prepare_extractions
from reliability.kills.training_trials import prepare_training
from reliability.kills.trainings import TRAININGS
from reliability.kills.trial import Trial

KINDS: Dict[str, Callable[[Path], Callable[[Path, random.Random], Trial]]] = {
    **{name: partial(prepare_training, name) for name in TRAININGS},
    "extraction": prepare_extractions,
    **({"distributed": prepare_distributed} if find_spec("ray") is not None else {}),
}

NUM_KILLS = {**dict.fromkeys(TRAININGS, 30), "extraction": 50, "distributed": 20}


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m reliability.kills",
        description="Kills small trainings and extractions at random moments, and checks that "
        "'allennlp train --recover', 'allennlp elmo --resume' and 'allennlp elmo --ray' end with "
        "the numbers of runs that nothing disturbed.",
    )
    parser.add_argument(
        "--kills",
        type=int,
        help="kills of each kind (default: 30 of each training, 50 of extractions, 20 of those on "
        "Ray)",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the moments")
    parser.add_argument("--only", choices=sorted(KINDS), help="a single kind")
    return parser.parse_args()


def _run_kills(name: str, folder: Path, num_kills: Optional[int], seed: int) -> List[Trial]:
    """Runs trials until there were enough kills."""
    folder.mkdir()
    run_trial = KINDS[name](folder)
    drawn = random.Random(f"{seed} {name}")
    trials: List[Trial] = []
    if num_kills is None:
        num_kills = NUM_KILLS[name]
    with Tqdm.tqdm(total=num_kills, desc=name) as progress:
        while progress.n < num_kills:
            trial_folder = folder / f"trial_{len(trials)}"
            trial = run_trial(trial_folder, drawn)
            trials.append(trial)
            progress.update(trial.num_kills)
            for problem in trial.problems:
                progress.write(f"{trial_folder.name}: {problem}")
            if not trial.problems:
                shutil.rmtree(trial_folder)
    return trials


def _summary(trials: Dict[str, List[Trial]]) -> str:
    lines = ["", f"{'kind':20}{'kills':>7}{'killed runs':>13}{'equal':>7}{'leftovers':>11}"]
    for name, each in trials.items():
        killed = [trial for trial in each if trial.num_kills]
        lines.append(
            f"{name:20}{sum(trial.num_kills for trial in each):7}{len(killed):13}"
            f"{sum(not trial.problems for trial in killed):7}"
            f"{sum(trial.num_leftovers for trial in killed):11}"
        )
    for name, each in trials.items():
        numbers: Counter[str] = Counter()
        for trial in each:
            numbers.update(trial.numbers or {})
        if numbers:
            lines.append(f"{name}: " + ", ".join(f"{n} {what}" for what, n in numbers.items()))
    within = sum(trial.was_resumed_within_last_epoch for each in trials.values() for trial in each)
    lines.append(
        "Equal to the bit: metrics, best weights, last checkpoint and archive of a training; every "
        f"array of an extraction. In {within} trainings that went on within the last epoch, its "
        "training metrics cover the rest of it, and were not compared."
    )
    return "\n".join(lines)


def main() -> int:
    """
    Runs the kills, and prints a summary.

    # Returns

    `int`
        The exit code: 0 if everything ended as the unbroken runs.
    """
    arguments = _parse()
    logging.getLogger("allennlp").setLevel(logging.WARNING)
    warnings.simplefilter("ignore")
    import_plugins()
    # Forks need a process without OpenMP threads.
    torch.set_num_threads(1)
    folder = Path(mkdtemp(prefix="kills."))
    trials: Dict[str, List[Trial]] = {}
    for name in [arguments.only] if arguments.only else list(KINDS):
        trials[name] = _run_kills(name, folder / name, arguments.kills, arguments.seed)
    print(_summary(trials))
    if any(trial.problems for each in trials.values() for trial in each):
        print(f"The folders of what differs are kept in '{folder}'.")
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
