"""
Trainings in processes of their own, and kills of them.

Each is a fork of this process, which has imported everything already.
"""

import os
import signal
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import List, NamedTuple, Optional, Set

from allennlp.commands import main

__all__ = ["Moment", "Run", "run_training"]

POLL_SECONDS = 0.0003
TIME_LIMIT = 300.0


class Moment(NamedTuple):
    """
    The moment of a kill.

    # Parameters

    seconds : `float`
        Time since the start, or since the beginning of a file.
    file_number : `Optional[int]`
        Number of the file, from 0, that the training has just begun to write. `None` counts from
        the start.
    """

    seconds: float
    file_number: Optional[int] = None


class Run(NamedTuple):
    """
    The end of a training.

    # Parameters

    was_killed : `bool`
        `True` if the kill came before the end.
    exit_code : `int`
        The exit code, if it was not killed.
    seconds : `float`
        Time from the start to the end.
    num_files : `int`
        Number of files that were seen to be begun in the training's folder.
    """

    was_killed: bool
    exit_code: int
    seconds: float
    num_files: int


def _train(arguments: List[str], log: Path) -> None:
    """Runs `allennlp train` in this process, which is a fork, and ends it."""
    code = 1
    try:
        os.setsid()
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for stream in (1, 2):
            os.dup2(descriptor, stream)
        sys.argv = ["allennlp", "train", *arguments]
        main()
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _partial_files(folder: Path, seen: Set[str]) -> int:
    """Counts the hidden names in a folder so far, beside which complete files are written."""
    with suppress(FileNotFoundError):
        seen.update(name for name in os.listdir(folder) if name.startswith("."))
    return len(seen)


def run_training(
    config: Path, folder: Path, log: Path, recover: bool = False, moment: Optional[Moment] = None
) -> Run:
    """
    Runs a training, and kills its process group at a given moment.

    # Parameters

    config : `Path`
        Path of the config.
    folder : `Path`
        The training's folder.
    log : `Path`
        File that gets the output.
    recover : `bool`, optional (default = `False`)
        If `True`, run with `--recover`.
    moment : `Optional[Moment]`, optional (default = `None`)
        The moment of the kill, or `None` for none.

    # Returns

    `Run`

    # Raises

    `TimeoutError`
        If the training takes too long.
    """
    arguments = [str(config), "-s", str(folder), *(["--recover"] if recover else [])]
    seen: Set[str] = set(os.listdir(folder)) if folder.is_dir() else set()
    seen = {name for name in seen if name.startswith(".")}
    num_before = len(seen)
    start = time.monotonic()
    process = os.fork()
    if process == 0:
        _train(arguments, log)
    since = start if moment is None or moment.file_number is None else None
    while True:
        ended, status = os.waitpid(process, os.WNOHANG)
        now = time.monotonic()
        num_files = _partial_files(folder, seen) - num_before
        if ended:
            return Run(False, os.WEXITSTATUS(status), now - start, num_files)
        if moment is not None and since is None and num_files > (moment.file_number or 0):
            since = now
        due = moment is not None and since is not None and now - since >= moment.seconds
        if due or now - start > TIME_LIMIT:
            os.killpg(process, signal.SIGKILL)
            os.waitpid(process, 0)
            if not due:
                raise TimeoutError(f"The training in '{folder}' took more than {TIME_LIMIT:g} s.")
            return Run(True, -signal.SIGKILL, now - start, num_files)
        time.sleep(POLL_SECONDS)
