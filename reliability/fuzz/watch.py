"""
The watching process, which kills and restarts workers.
"""

import os
import re
import signal
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from time import perf_counter
from typing import Iterable, Iterator, NamedTuple, Optional, Type

from reliability.fuzz.kind import Kind
from reliability.fuzz.result import PACKAGE, CaseResult, Outcome
from reliability.fuzz.worker import MEMORY_LIMIT, READY, SECONDS_LIMIT, serve

__all__ = ["run_cases"]

START_SECONDS = 300.0
LONGEST_WAIT = 20 * SECONDS_LIMIT
POLL_SECONDS = 0.2
SLEEPING = "S"
STACK_HEADING = "(most recent call first)"
FRAME = re.compile(r'File "(?P<path>.*)", line (?P<line>\d+) in (?P<name>.*)')

# The server imports everything once and never runs a case, so each of its forks starts at once.
CONTEXT = get_context("forkserver")
CONTEXT.set_forkserver_preload(["reliability.fuzz.kinds", "reliability.fuzz.worker"])


def run_cases(
    kind: Type[Kind], indices: Iterable[int], seed: int, folder: Path
) -> Iterator[CaseResult]:
    """
    Runs cases of a kind in a worker process.

    # Parameters

    kind : `Type[Kind]`
        Kind of the cases.
    indices : `Iterable[int]`
        Numbers of the cases.
    seed : `int`
        Seed of all cases.
    folder : `Path`
        Folder for the worker's files.

    # Returns

    `Iterator[CaseResult]`
        Result of each case. A worker that crashes, takes longer than 5 s or more than 1 GB is
        replaced by a new one. Time for which other processes hold it up does not count.
    """
    worker = None
    try:
        for index in indices:
            if worker is None:
                worker = _Worker(kind, seed, folder)
            result = worker.run(index)
            yield result
            if worker.is_gone or result.memory > MEMORY_LIMIT:
                worker.stop()
                worker = None
    finally:
        if worker is not None:
            worker.stop()


class _Worker:
    """A worker process, as its watcher sees it."""

    def __init__(self, kind: Type[Kind], seed: int, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.is_gone = False
        self._cpu_seconds = 0.0
        self._traces = folder / "traces.txt"
        self._connection, theirs = CONTEXT.Pipe()
        self._process = CONTEXT.Process(
            target=serve, args=(theirs, kind, folder / "files", seed, self._traces), daemon=True
        )
        self._process.start()
        theirs.close()
        try:
            is_ready = self._connection.poll(START_SECONDS) and self._connection.recv() == READY
        except EOFError:
            is_ready = False
        if not is_ready:
            self.stop()
            raise RuntimeError(f"The worker of the kind '{kind.name}' did not start; see above.")

    def run(self, index: int) -> CaseResult:
        began = perf_counter()
        self._cpu_seconds = _Activity.of(self._process).cpu_seconds
        try:
            self._connection.send(index)
            if self._connection.poll(SECONDS_LIMIT) or self._answers_later(began):
                return self._connection.recv()
            failure = "hang"
        except (EOFError, OSError):
            self._process.join()
            failure = _name_of_exit(self._process.exitcode)
        self.is_gone = True
        seconds = perf_counter() - began
        return CaseResult(index, Outcome.FAILURE, seconds, 0, failure, self._place())

    def _answers_later(self, began: float) -> bool:
        """Waits on, while other processes on a busy machine hold up the worker."""
        while perf_counter() - began < LONGEST_WAIT:
            activity = _Activity.of(self._process)
            if activity.is_blocked or activity.cpu_seconds - self._cpu_seconds > SECONDS_LIMIT:
                return False
            if self._connection.poll(POLL_SECONDS):
                return True
        return False

    def stop(self) -> None:
        self._connection.close()
        self._process.kill()
        self._process.join()

    def _place(self) -> str:
        """Returns the innermost line of the plugin in the stack of a crash or a hang."""
        _, _, stack = self._traces.read_text().rpartition(STACK_HEADING)
        frames = [found.groups() for found in FRAME.finditer(stack)]
        for path, line, name in frames:
            if PACKAGE in Path(path).parents:
                return f"{Path(path).relative_to(PACKAGE)}:{line} {name}"
        return " ".join(f"{Path(path).name}:{line} {name}" for path, line, name in frames[:1])


class _Activity(NamedTuple):
    """The state of a process: blocked or not, and the time that it has computed."""

    is_blocked: bool
    cpu_seconds: float

    @classmethod
    def of(cls, process: BaseProcess) -> "_Activity":
        try:
            status = Path(f"/proc/{process.pid}/stat").read_text()
        except FileNotFoundError:
            # Other systems than Linux do not tell, and a process that ended is noticed elsewhere.
            return cls(True, 0.0)
        # The name of the process, in parentheses, may hold anything.
        fields = status.rpartition(")")[2].split()
        ticks = int(fields[11]) + int(fields[12])
        return cls(fields[0] == SLEEPING, ticks / os.sysconf("SC_CLK_TCK"))


def _name_of_exit(code: Optional[int]) -> str:
    if code is not None and code < 0:
        return signal.Signals(-code).name
    return f"exit {code}"
