"""
Measuring memory: how much of it a process holds, in a process that has done nothing else.
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
    Tells how far the resident memory of this process has risen above what it was when the meter
    was made. Where there is no `/proc`, what counts is how far the highest mark of the process has
    risen.
    """

    def __init__(self) -> None:
        # The libraries' threads and buffers belong to no embedder.
        torch.ones(256, 256).mm(torch.ones(256, 256))
        with suppress(OSError):
            # Sets the highest mark to what is resident now (proc(5)).
            CLEAR_REFS.write_text("5")
        self._before = _resident("VmRSS")

    def peak(self) -> int:
        """
        # Returns

        `int`
            The highest rise so far, in bytes.
        """
        return _resident("VmHWM") - self._before


def in_fresh_process(function: Callable[..., T], *arguments: Any) -> T:
    """
    # Parameters

    function : `Callable[..., T]`
        A function of some module, called in a new interpreter with as many threads as here.
    arguments : `Any`
        Its arguments, which travel there.

    # Returns

    `T`
        What it returned, which travels back.
    """
    with ProcessPoolExecutor(
        max_workers=1,
        mp_context=get_context("spawn"),
        initializer=torch.set_num_threads,
        initargs=(torch.get_num_threads(),),
    ) as executor:
        return executor.submit(function, *arguments).result()


def _resident(field: str) -> int:
    """A field of the process's status, in bytes; the highest mark where there is no status."""
    if STATUS.exists():
        # Not getrusage's mark here: Linux hands it down from the process that started this one.
        lines = STATUS.read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
