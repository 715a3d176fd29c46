"""Work that a forked child process does."""

import os
import time
from typing import Callable

import pytest

__all__ = ["needs_fork", "succeeds_in_fork"]

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


def succeeds_in_fork(work: Callable[[], object], seconds: float = 20.0) -> bool:
    """
    Runs a function in a forked child process.

    # Parameters

    work : `Callable[[], object]`
        Function without arguments.
    seconds : `float`, optional (default = `20.0`)
        Time after which the child is killed.

    # Returns

    `bool`
        `True` if the function returned in time, without an error.
    """
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            # Without the cleanup that belongs to the parent.
            os._exit(status)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status == 0
        time.sleep(0.01)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return False
