"""
Commands of AllenNLP in processes of their own, and kills of them.

Each is a fork of this process, which has imported everything already.
"""

import os
import random
import signal
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from threading import RLock
from typing import Callable, NamedTuple, Optional, Sequence, Set

from allennlp.commands import main
from allennlp.common.tqdm import Tqdm

__all__ = [
    "INTERRUPTED",
    "TIME_LIMIT",
    "WRITING_SECONDS",
    "Moment",
    "Run",
    "draw_moment",
    "exit_code_of",
    "run_command",
    "start_command",
]

POLL_SECONDS = 0.0003
TIME_LIMIT = 300.0
INTERRUPTED = 130
"""Exit code of a program that Ctrl-C has ended."""

SHARE_OF_RANDOM_MOMENTS = 0.4
WRITING_SECONDS = 0.004


class Moment(NamedTuple):
    """
    The moment of a kill.

    # Parameters

    seconds : `float`
        Time since the start, or since the beginning of a file.
    file_number : `Optional[int]`
        Number of the file, from 0, that the command has just begun to write. `None` counts from
        the start.
    signal : `int`, optional (default = `SIGKILL`)
        The signal. After `SIGINT` the command has time to end.
    """

    seconds: float
    file_number: Optional[int] = None
    signal: int = signal.SIGKILL


class Run(NamedTuple):
    """
    The end of a command.

    # Parameters

    exit_code : `int`
        The exit code, or the number of the signal that ended the process, negated.
    seconds : `float`
        Time from the start to the end.
    num_files : `int`
        Number of files that were seen to be begun in the watched folders.
    """

    exit_code: int
    seconds: float
    num_files: int

    @property
    def was_killed(self) -> bool:
        """`True` if a signal ended it."""
        return self.exit_code in (-signal.SIGKILL, -signal.SIGINT, INTERRUPTED)


def draw_moment(drawn: random.Random, unbroken: Run) -> Moment:
    """
    Draws a moment within a command's time, more often while it writes a file.

    # Parameters

    drawn : `random.Random`
        The source of randomness.
    unbroken : `Run`
        The unbroken run of the command.
    """
    if drawn.random() < SHARE_OF_RANDOM_MOMENTS:
        return Moment(drawn.uniform(0.0, unbroken.seconds))
    return Moment(drawn.uniform(0.0, WRITING_SECONDS), drawn.randrange(max(unbroken.num_files, 1)))


def run_command(
    arguments: Sequence[str],
    folders: Sequence[Path],
    log: Path,
    moment: Optional[Moment] = None,
    watch: Callable[[], object] = lambda: None,
) -> Run:
    """
    Runs a command of AllenNLP, and kills its process group at a given moment.

    # Parameters

    arguments : `Sequence[str]`
        The command and its arguments.
    folders : `Sequence[Path]`
        Folders in which the command writes files under hidden names first.
    log : `Path`
        File that gets the output.
    moment : `Optional[Moment]`, optional (default = `None`)
        The moment of the kill, or `None` for none.
    watch : `Callable[[], object]`, optional (default = nothing)
        A function that is called again and again while the command runs.

    # Returns

    `Run`

    # Raises

    `TimeoutError`
        If the command takes too long.
    """
    seen: Set[str] = set()
    num_before = _num_begun_files(folders, seen)
    start = time.monotonic()
    process = start_command(arguments, log)
    since = start if moment is None or moment.file_number is None else None
    is_sent = False
    while True:
        exit_code = exit_code_of(process)
        now = time.monotonic()
        watch()
        num_files = _num_begun_files(folders, seen) - num_before
        if exit_code is not None:
            return Run(exit_code, now - start, num_files)
        if now - start > TIME_LIMIT:
            os.killpg(process, signal.SIGKILL)
            os.waitpid(process, 0)
            raise TimeoutError(f"The command of '{log}' took more than {TIME_LIMIT:g} s.")
        if moment is not None and not is_sent:
            if since is None and num_files > (moment.file_number or 0):
                since = now
            is_due = since is not None and now - since >= moment.seconds
            # Before it has a group of its own, the process is not where it takes a signal.
            if is_due and os.getpgid(process) == process:
                os.killpg(process, moment.signal)
                is_sent = True
        time.sleep(POLL_SECONDS)


def start_command(arguments: Sequence[str], log: Path) -> int:
    """
    Starts a command of AllenNLP in a process group of its own.

    # Parameters

    arguments : `Sequence[str]`
        The command and its arguments.
    log : `Path`
        File that gets the output.

    # Returns

    `int`
        The id of the process.
    """
    process = os.fork()
    if process == 0:
        try:
            _run_allennlp(arguments, log)
        finally:
            # Ctrl-C at the very start or end would go on as this process.
            os._exit(INTERRUPTED)
    return process


def exit_code_of(process: int) -> Optional[int]:
    """
    Returns the exit code of a process, or the number of the signal that ended it, negated.

    # Parameters

    process : `int`
        The id of a child of this process.

    # Returns

    `Optional[int]`
        `None` while it runs.
    """
    ended, status = os.waitpid(process, os.WNOHANG)
    if not ended:
        return None
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def _run_allennlp(arguments: Sequence[str], log: Path) -> None:
    """Runs a command in this process, which is a fork, and ends it."""
    code = 1
    try:
        os.setsid()
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for stream in (1, 2):
            os.dup2(descriptor, stream)
        # All forks share the lock of tqdm, and one that is killed may hold it.
        Tqdm.set_lock(RLock())
        sys.argv = ["allennlp", *arguments]
        main()
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except KeyboardInterrupt:
        # The command has not taken it, so Python ends itself like this.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _num_begun_files(folders: Sequence[Path], seen: Set[str]) -> int:
    """Counts the hidden names in folders so far, beside which complete files are written."""
    for folder in folders:
        with suppress(FileNotFoundError):
            seen.update(str(folder / name) for name in os.listdir(folder) if name.startswith("."))
    return len(seen)
