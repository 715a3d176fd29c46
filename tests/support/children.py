"""Child processes that write, and end before they are done."""

import os
import signal
import traceback
from itertools import count
from pathlib import Path
from typing import Any, Callable

import pytest

__all__ = ["exit_status", "needs_fork", "start", "stopped_at_rename"]

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")


def start(function: Callable[[], Any]) -> int:
    """Runs a function in a child process, and returns the id of the process."""
    child = os.fork()
    if child == 0:
        try:
            function()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return child


def exit_status(child: int) -> int:
    """Waits for a child process; returns its exit status, or the signal that killed it, negated."""
    status = os.waitpid(child, 0)[1]
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def stopped_at_rename(number: int, function: Callable[[], Any]) -> bool:
    """Runs a function in a child process that ends before a rename; `False` if it renames less."""
    renames = count()
    replace = os.replace

    def counted_replace(source: Path, target: Path) -> None:
        if next(renames) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)

    def run() -> None:
        os.replace = counted_replace  # type: ignore[assignment]
        function()

    status = exit_status(start(run))
    assert status in (0, -signal.SIGKILL)
    return status != 0
