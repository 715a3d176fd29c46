"""
Tokens per second of each worker of a distributed extraction, over time.
"""

import re
from typing import List, NamedTuple, Sequence, Tuple, Union

import numpy

from allennlp_elmo_plugin.extraction.distributed.shard import Receipt

__all__ = ["Pause", "Throughput", "measure_throughput"]

LONG_PAUSE = 0.05
"""Shortest time without any work that is cut out, as a share of the time with work."""
MIN_SECONDS = 1e-3
"""Shortest time over which the tokens of a shard are spread."""


class Pause(NamedTuple):
    """
    A time without work that is cut out, as between a run that was stopped and the next one.

    # Parameters

    place : `float`
        Place of the cut, in seconds from the first start without the pauses before it.
    seconds : `float`
        Length of the pause.
    """

    place: float
    seconds: float


class Throughput(NamedTuple):
    """
    Tokens per second over time, in intervals.

    # Parameters

    workers : `List[str]`
        The workers, in the order of their names, so that those of a host are neighbours.
    edges : `numpy.ndarray`
        Ends of the intervals, in seconds from the first start without the pauses.
        Shape: (intervals + 1,).
    rates : `numpy.ndarray`
        Tokens per second. Shape: (workers, intervals).
    pauses : `List[Pause]`
        The pauses, each between two intervals.
    """

    workers: List[str]
    edges: numpy.ndarray
    rates: numpy.ndarray
    pauses: List[Pause]


def measure_throughput(receipts: Sequence[Receipt], num_intervals: int) -> Throughput:
    """
    Spreads the tokens of each shard evenly over its seconds.

    # Parameters

    receipts : `Sequence[Receipt]`
        At least one receipt, in any order.
    num_intervals : `int`
        The number of intervals if there are no pauses, and about that many otherwise.

    # Returns

    `Throughput`
    """
    workers = sorted({receipt.worker for receipt in receipts}, key=_by_numbers)
    row_of = {worker: row for row, worker in enumerate(workers)}
    rows = [row_of[receipt.worker] for receipt in receipts]
    origin = min(receipt.started for receipt in receipts)
    starts = numpy.array([receipt.started - origin for receipt in receipts])
    seconds = numpy.array([max(receipt.seconds, MIN_SECONDS) for receipt in receipts])
    num_tokens = numpy.array([float(receipt.num_tokens) for receipt in receipts])
    ends = starts + seconds
    edges, places, pauses = _edges(_busy_times(starts, ends), num_intervals)
    done = numpy.empty((len(workers), len(edges)))
    for index, edge in enumerate(edges):
        # At its end a shard is done, whatever rounding says: afterwards its worker is idle.
        shares = numpy.where(edge < ends, numpy.clip((edge - starts) / seconds, 0, 1), 1)
        done[:, index] = numpy.bincount(rows, num_tokens * shares, len(workers))
    return Throughput(workers, places, numpy.diff(done) / numpy.diff(places), pauses)


def _by_numbers(name: str) -> List[Union[str, int]]:
    """Returns what sorts host-9 before host-10."""
    parts = re.split(r"([0-9]+)", name)
    return [int(part) if index % 2 else part for index, part in enumerate(parts)]


def _busy_times(starts: numpy.ndarray, ends: numpy.ndarray) -> List[Tuple[float, float]]:
    """Returns the times with work, without the short pauses between them."""
    order = numpy.argsort(starts)
    starts, ends = starts[order], numpy.maximum.accumulate(ends[order])
    waits = numpy.maximum(starts[1:] - ends[:-1], 0)
    worked = ends[-1] - starts[0] - waits.sum()
    (cuts,) = numpy.nonzero(waits > LONG_PAUSE * worked)
    return list(zip(starts[[0, *(cuts + 1)]].tolist(), ends[[*cuts, -1]].tolist()))


def _edges(
    times: List[Tuple[float, float]], num_intervals: int
) -> Tuple[numpy.ndarray, numpy.ndarray, List[Pause]]:
    """Returns the ends of intervals with and without the pauses, and the pauses."""
    worked = sum(end - start for start, end in times)
    edges, places = [numpy.zeros(1)], [numpy.zeros(1)]
    pauses: List[Pause] = []
    place = last_end = 0.0
    for start, end in times:
        if start > last_end:
            pauses.append(Pause(place, start - last_end))
        num_here = max(1, round(num_intervals * (end - start) / worked))
        # No tokens are run in a pause, so an interval may begin where the one before it ended.
        inside = numpy.linspace(start, end, num_here + 1)[1:]
        edges.append(inside)
        places.append(inside - start + place)
        place += end - start
        last_end = end
    return numpy.concatenate(edges), numpy.concatenate(places), pauses
