"""
Runs of `allennlp elmo --ray`, in which workers, nodes and the command itself are killed.
"""

import os
import random
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import List, NamedTuple, Set, Tuple

from reliability.kills.processes import TIME_LIMIT, WRITING_SECONDS, exit_code_of, start_command
from reliability.kills.ray_cluster import RayCluster

__all__ = ["DRIVER", "Strike", "WorkWatch", "draw_strikes", "run_with_strikes"]

WORKER, NODE, DRIVER = "worker", "node", "driver"
TARGETS = {WORKER: 5, NODE: 3, DRIVER: 3}
"""The processes that are killed, and how often each is drawn."""

POLL_SECONDS = 0.002
SHARD_SECONDS = 0.3
NUM_STEPS = 4
"""Names that a shard makes: its scratch folder, its part, its receipt, its checkpoint."""
SHARE_OF_RANDOM_MOMENTS = 0.4


class Strike(NamedTuple):
    """
    A kill to come.

    # Parameters

    target : `str`
        `"worker"`, `"node"` or `"driver"`, which is the command itself.
    file_number : `int`
        Number of new files and folders of the work after which it is due, counted from the kill
        before it or from the start of the command.
    seconds : `float`
        Time from then on.
    """

    target: str
    file_number: int
    seconds: float


def draw_strikes(drawn: random.Random, num_strikes: int, num_shards: int) -> List[Strike]:
    """
    Draws kills within the extraction of shards, more often right after a file appears.

    # Parameters

    drawn : `random.Random`
        The source of randomness.
    num_strikes : `int`
        The number of kills.
    num_shards : `int`
        The number of shards.
    """
    strikes = []
    for _ in range(num_strikes):
        is_random = drawn.random() < SHARE_OF_RANDOM_MOMENTS
        strike = Strike(
            drawn.choices(list(TARGETS), list(TARGETS.values()))[0],
            drawn.randrange(NUM_STEPS * num_shards // num_strikes),
            drawn.uniform(0.0, SHARD_SECONDS if is_random else WRITING_SECONDS),
        )
        strikes.append(strike)
    return strikes


class WorkWatch:
    """
    A look at the files of a distributed extraction while it runs.

    # Parameters

    work : `Path`
        Folder of the unfinished work.
    parts : `Path`
        Folder of the shards' files. At any moment, each of them is complete.
    """

    def __init__(self, work: Path, parts: Path) -> None:
        self.problems: List[str] = []
        self.num_files = 0
        """Number of files and folders that have appeared."""
        self.num_tries = 0
        """Number of times that a worker has begun a shard."""
        self._parts, self._scratch = parts, work / "scratch"
        self._folders = [parts, self._scratch, work / "receipts", work / "checkpoints"]
        self._shards: Set[str] = set()
        self._seen: Set[Tuple[str, int]] = set()

    @property
    def num_shards(self) -> int:
        """Number of shards of which a part has appeared."""
        return len(self._shards)

    def look(self) -> None:
        """Counts what is new, and reads the new parts."""
        for folder in self._folders:
            # It may come and go at any moment, as may what is in it.
            with suppress(FileNotFoundError):
                for entry in os.scandir(folder):
                    place = (entry.path, entry.inode())
                    if place not in self._seen:
                        self._seen.add(place)
                        self._count(folder, entry)

    def _count(self, folder: Path, entry: "os.DirEntry[str]") -> None:
        self.num_files += 1
        if folder == self._scratch:
            self.num_tries += 1
        if folder == self._parts and entry.name.startswith("part-"):
            self._shards.add(entry.name)
            self._read(entry.path)

    def _read(self, path: str) -> None:
        from pyarrow import ArrowException, parquet

        try:
            parquet.ParquetFile(path).read()
        except FileNotFoundError:
            return
        except (ArrowException, OSError) as error:
            self.problems.append(f"while it ran, '{path}' could not be read: {error}")


def run_with_strikes(
    arguments: List[str],
    log: Path,
    cluster: RayCluster,
    watch: WorkWatch,
    strikes: List[Strike],
    drawn: random.Random,
) -> Tuple[int, List[str]]:
    """
    Runs a command, and kills what the strikes say until the command itself is killed.

    # Parameters

    arguments : `List[str]`
        The command and its arguments.
    log : `Path`
        File that gets the output.
    cluster : `RayCluster`
        The cluster.
    watch : `WorkWatch`
        The watch of the command's work.
    strikes : `List[Strike]`
        The kills, from which those that were done are removed.
    drawn : `Random`
        The source of randomness.

    # Returns

    `Tuple[int, List[str]]`
        The exit code, and the targets that were killed.

    # Raises

    `TimeoutError`
        If the command takes too long.
    """
    process = start_command(arguments, log)
    deadline = time.monotonic() + TIME_LIMIT
    num_before, since = watch.num_files, None
    kills: List[str] = []
    exit_code = None
    try:
        while exit_code is None:
            exit_code = exit_code_of(process)
            watch.look()
            now = time.monotonic()
            if now > deadline:
                raise TimeoutError(f"The command of '{log}' took more than {TIME_LIMIT:g} s.")
            if strikes and since is None and watch.num_files - num_before > strikes[0].file_number:
                since = now
            if exit_code is None and since is not None and now - since >= strikes[0].seconds:
                target = _kill(strikes[0].target, process, cluster, drawn)
                if target:
                    kills.append(target)
                    strikes.pop(0)
                    num_before, since = watch.num_files, None
            time.sleep(POLL_SECONDS)
    finally:
        if exit_code is None:
            os.killpg(process, signal.SIGKILL)
            os.waitpid(process, 0)
    return exit_code, kills


def _kill(target: str, process: int, cluster: RayCluster, drawn: random.Random) -> str:
    """Kills a target, and returns what it was: a worker if there is no second node."""
    if target == DRIVER:
        os.killpg(process, signal.SIGKILL)
        return DRIVER
    if target == NODE and cluster.kill_second_node():
        return NODE
    return WORKER if cluster.kill_worker(drawn) else ""
