"""
One trial: workers, a node or the command of an extraction on Ray are killed until it is done.
"""

import random
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Tuple

from allennlp_elmo_plugin.extraction.distributed.reports import RECEIPTS, receipts_from_parquet
from reliability.kills.distributed_runs import (
    DRIVER,
    Strike,
    WorkWatch,
    draw_strikes,
    run_with_strikes,
)
from reliability.kills.extraction_results import differences
from reliability.kills.extractions import write_input
from reliability.kills.processes import run_command
from reliability.kills.ray_cluster import RayCluster
from reliability.kills.trial import Trial

__all__ = ["prepare_distributed"]

NUM_SENTENCES, MAX_WORDS = 10_000, 30
SHARD_MEGABYTES = 0.04
NUM_SHARDS = 20
"""About so many shards has the input."""
MAX_KILLS = 3
MAX_FAILURES = 3
RUNS, FAILED = "runs", "runs that ended with an error"
SURVIVED = "killed runs that went on by themselves"

OPTIONS: Dict[str, List[str]] = {
    "vectors": ["--top"],
    "targets.npz": ["--all", "--targets", "targets.txt"],
    "types.txt": ["--average", "--types", "20"],
}
"""Options of each run by the name of its output."""


class Outcome(NamedTuple):
    """
    An output of an extraction.

    # Parameters

    name : `str`
        A key of `OPTIONS`.
    inputs : `Path`
        The folder that `write_input` filled.
    folder : `Path`
        The folder for the output.
    """

    name: str
    inputs: Path
    folder: Path

    @property
    def paths(self) -> List[Path]:
        """Paths of the output of the command on Ray."""
        output = self.folder / self.name
        return [output, output.with_suffix(".json")] if output.suffix == ".npz" else [output]

    @property
    def work(self) -> Path:
        """Path of the folder for unfinished work."""
        return self.folder / f"{self.name}.partial"

    @property
    def parts(self) -> Path:
        """Path of the folder with the files of the shards."""
        return self.folder / self.name if self.name == "vectors" else self.work / "parts"

    def arguments(self, output: Path, *options: str) -> List[str]:
        """
        Returns the command and its arguments.

        # Parameters

        output : `Path`
            Path of the output.
        options : `str`
            More options.
        """
        fixed = [
            str(self.inputs / each) if each.endswith(".txt") else each
            for each in OPTIONS[self.name]
        ]
        model = ["--model", str(self.inputs / "elmo")]
        text = str(self.inputs / "sentences.txt")
        return ["elmo", text, str(output), *fixed, *model, *options]


def prepare_distributed(folder: Path) -> Callable[[Path, random.Random], Trial]:
    """
    Runs every extraction once in one process, and returns a function that runs trials.

    # Parameters

    folder : `Path`
        An empty folder.

    # Returns

    `Callable[[Path, Random], Trial]`
        Function of a folder that does not exist, and of a source of randomness.
    """
    inputs, expected = folder / "inputs", folder / "unbroken"
    for path in (inputs, expected):
        path.mkdir()
    write_input(inputs, NUM_SENTENCES, MAX_WORDS)
    for name in OPTIONS:
        outcome = Outcome(name, inputs, expected)
        log = folder / f"{name}.log"
        output = _one_process(outcome.paths[0])
        if run_command(outcome.arguments(output), [], log).exit_code != 0:
            raise RuntimeError(f"The extraction '{name}' failed; see '{log}'.")
    return partial(_run_trial, inputs, expected)


def _one_process(output: Path) -> Path:
    """Returns the path of the output of one process, which writes no folders."""
    return output if output.suffix else output.with_suffix(".parquet")


def _run_trial(inputs: Path, expected: Path, folder: Path, drawn: random.Random) -> Trial:
    """Kills an extraction up to three times, runs it until it is done, and compares its results."""
    outcome = Outcome(drawn.choice(list(OPTIONS)), inputs, folder / "output")
    strikes = draw_strikes(drawn, drawn.randint(1, MAX_KILLS), NUM_SHARDS)
    outcome.folder.mkdir(parents=True)
    watch = WorkWatch(outcome.work, outcome.parts)
    with RayCluster() as cluster:
        kills, numbers = _run_until_done(outcome, cluster, watch, strikes, drawn)
    problems = list(watch.problems)
    undisturbed = Outcome(outcome.name, inputs, expected)
    for path, other in zip(outcome.paths, undisturbed.paths):
        problems += differences(_one_process(other), path)
    if outcome.name == "vectors":
        problems += _problems_of_receipts(outcome.parts)
    kept = {path.name for path in outcome.paths}
    leftovers = [path.name for path in outcome.folder.iterdir() if path.name not in kept]
    if leftovers:
        problems.append(f"left over: {', '.join(leftovers)}")
    if problems:
        problems.append(f"it was '{outcome.name}', with {numbers}; see '{folder}'")
    numbers["shards begun again"] = watch.num_tries - watch.num_shards
    return Trial(kills, problems, len(leftovers), numbers=numbers)


def _run_until_done(
    outcome: Outcome,
    cluster: RayCluster,
    watch: WorkWatch,
    strikes: List[Strike],
    drawn: random.Random,
) -> Tuple[int, "Counter[str]"]:
    """Returns the number of kills, and numbers for the summary."""
    options = ["--ray", cluster.address, "--workers", "2"]
    options += ["--shard-megabytes", str(SHARD_MEGABYTES)]
    arguments = outcome.arguments(outcome.paths[0], *options)
    kills: List[str] = []
    numbers: Counter[str] = Counter()
    while numbers[FAILED] < MAX_FAILURES:
        cluster.repair()
        log = outcome.folder.with_name(f"run_{numbers[RUNS]}.log")
        exit_code, done = run_with_strikes(arguments, log, cluster, watch, strikes, drawn)
        kills += done
        numbers[RUNS] += 1
        numbers.update(f"{target} kills" for target in done)
        if exit_code == 0:
            numbers[SURVIVED] += bool(done)
            break
        numbers[FAILED] += DRIVER not in done
    return len(kills), numbers


def _problems_of_receipts(parts: Path) -> List[str]:
    receipts = receipts_from_parquet((parts / RECEIPTS).read_bytes())
    problems = []
    if [receipt.number for receipt in receipts] != list(range(len(receipts))):
        problems.append(f"'{RECEIPTS}' has not each shard once")
    if {receipt.path for receipt in receipts} != {path.name for path in parts.glob("part-*")}:
        problems.append(f"'{RECEIPTS}' has other parts than the folder")
    return problems
