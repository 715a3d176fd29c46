"""
Measurement of memory, in a process that has done nothing else.
"""

import resource
import sys
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Callable, TypeVar

import torch

__all__ = ["MemoryMeter", "in_fresh_process"]

T = TypeVar("T")

STATUS = Path("/proc/self/status")
CLEAR_REFS = Path("/proc/self/clear_refs")


class MemoryMeter:
    """
    A meter of the peak of this process's resident memory, above what it was at the beginning.

    Without `/proc`, the meter reads how far the peak of the whole process has risen.
    """

    def __init__(self) -> None:
        # The threads and buffers of libraries belong to no embedder.
        torch.ones(256, 256).mm(torch.ones(256, 256))
        with suppress(OSError):
            # Sets the peak to the memory that is resident now (proc(5)).
            CLEAR_REFS.write_text("5")
        self._before = _resident("VmRSS")

    def peak(self) -> int:
        """
        Returns the highest rise so far.

        # Returns

        `int`
            Rise in bytes.
        """
        return _resident("VmHWM") - self._before


def in_fresh_process(function: Callable[..., T], *arguments: Any) -> T:
    """
    Calls a function in a new interpreter with as many threads as this one.

    # Parameters

    function : `Callable[..., T]`
        Function that a module defines, so that it can be pickled.
    arguments : `Any`
        Arguments of the function, which are pickled.

    # Returns

    `T`
        Result of the function, which is pickled.
    """
    with ProcessPoolExecutor(
        max_workers=1,
        mp_context=get_context("spawn"),
        initializer=torch.set_num_threads,
        initargs=(torch.get_num_threads(),),
    ) as executor:
        return executor.submit(function, *arguments).result()


def _resident(field: str) -> int:
    """Returns a field of the process's status in bytes, or the peak where there is no status."""
    if STATUS.exists():
        # Not getrusage's peak: Linux inherits it from the process that started this one.
        lines = STATUS.read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
