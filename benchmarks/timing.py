"""
Measurement of wall-clock times.
"""

from functools import partial
from statistics import median
from time import perf_counter
from typing import Callable, Dict, List, Mapping

__all__ = ["best_seconds", "interleaved_medians", "seconds_of"]


def seconds_of(task: Callable[[], object]) -> float:
    """
    Times one call of a task.

    # Parameters

    task : `Callable[[], object]`
        Task to time.

    # Returns

    `float`
        Wall-clock time in seconds.
    """
    start = perf_counter()
    task()
    return perf_counter() - start


def interleaved_medians(tasks: Mapping[str, Callable[[], object]], rounds: int) -> Dict[str, float]:
    """
    Times tasks in turns, round by round, so that other work on the machine slows all of them alike.

    Run each task once before: its first call takes longer.

    # Parameters

    tasks : `Mapping[str, Callable[[], object]]`
        Tasks to time, by name.
    rounds : `int`
        Number of times that each task runs.

    # Returns

    `Dict[str, float]`
        Median of each task's wall-clock times, in seconds.
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
    Times a short task as the machine runs it when nothing disturbs it.

    # Parameters

    task : `Callable[[], object]`
        Task to time.
    attempt : `float`, optional (default = `0.002`)
        Least seconds of an attempt, which calls the task many times in a row.
    at_least : `float`, optional (default = `0.3`)
        Least seconds of all attempts together. The fastest attempt counts.

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
