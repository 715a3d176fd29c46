"""
Taking the time.
"""

from functools import partial
from statistics import median
from time import perf_counter
from typing import Callable, Dict, List, Mapping

__all__ = ["best_seconds", "interleaved_medians", "seconds_of"]


def seconds_of(task: Callable[[], object]) -> float:
    """
    # Parameters

    task : `Callable[[], object]`
        It is called once.

    # Returns

    `float`
        The wall-clock time in seconds.
    """
    start = perf_counter()
    task()
    return perf_counter() - start


def interleaved_medians(tasks: Mapping[str, Callable[[], object]], rounds: int) -> Dict[str, float]:
    """
    Times tasks one after the other, round by round, so that what else the machine does meets all
    of them alike. The tasks should have run once before: the first time is dearer.

    # Parameters

    tasks : `Mapping[str, Callable[[], object]]`
        What to time, by name.
    rounds : `int`
        How often each task runs.

    # Returns

    `Dict[str, float]`
        The median of each task's wall-clock times in seconds.
    """
    seconds: Dict[str, List[float]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, task in tasks.items():
            seconds[name].append(seconds_of(task))
    return {name: median(taken) for name, taken in seconds.items()}


def best_seconds(
    task: Callable[[], object], attempt: float = 0.002, at_least: float = 0.3
) -> float:
    """
    Times a short task that runs over and over, as the machine can do it when nothing disturbs it.

    # Parameters

    task : `Callable[[], object]`
        What to time.
    attempt : `float`, optional (default = `0.002`)
        The task is called so often in a row that this many seconds pass.
    at_least : `float`, optional (default = `0.3`)
        The seconds to spend on such attempts, of which the fastest counts.

    # Returns

    `float`
        Seconds per call.
    """
    task()
    times = 1
    while seconds_of(partial(_repeat, task, times)) < attempt:
        times *= 2
    attempts: List[float] = []
    while sum(attempts) < at_least:
        attempts.append(seconds_of(partial(_repeat, task, times)))
    return min(attempts) / times


def _repeat(task: Callable[[], object], times: int) -> None:
    for _ in range(times):
        task()
