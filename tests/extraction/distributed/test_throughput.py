"""The throughput of a distributed extraction over time."""

from fractions import Fraction
from typing import Dict, List

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allennlp_elmo_plugin.extraction.distributed.shard import Receipt
from allennlp_elmo_plugin.extraction.distributed.throughput import Throughput, measure_throughput
from tests.extraction.distributed.receipts import any_receipts, receipt


def tokens_of(throughput: Throughput) -> Dict[str, float]:
    """Returns the area below the curve of each worker."""
    areas = throughput.rates @ (throughput.edges[1:] - throughput.edges[:-1])
    return dict(zip(throughput.workers, areas.tolist()))


@given(any_receipts().filter(bool), st.integers(1, 40))
def test_every_token_is_below_the_curve_once(receipts: List[Receipt], num_intervals: int) -> None:
    """The area of a worker is its tokens, with pauses or without."""
    throughput = measure_throughput(receipts, num_intervals)
    assert (numpy.diff(throughput.edges) > 0).all() and throughput.edges[0] == 0
    assert (throughput.rates >= 0).all()
    expected = {
        worker: sum(each.num_tokens for each in receipts if each.worker == worker)
        for worker in throughput.workers
    }
    assert tokens_of(throughput) == pytest.approx(expected, abs=1e-3)


@given(any_receipts().filter(bool))
def test_time_and_pauses_make_the_whole(receipts: List[Receipt]) -> None:
    """The time that is drawn and the times that are cut out reach from the start to the end."""
    throughput = measure_throughput(receipts, 10)
    # Of a shard without a measured time, a moment is drawn.
    seconds = [max(Fraction(each.seconds), Fraction(1, 1000)) for each in receipts]
    ends = [Fraction(each.started) + each_took for each, each_took in zip(receipts, seconds)]
    whole = max(ends) - min(Fraction(each.started) for each in receipts)
    paused = sum(pause.seconds for pause in throughput.pauses)
    assert throughput.edges[-1] + paused == pytest.approx(float(whole), abs=1e-6)
    assert all(pause.place in throughput.edges for pause in throughput.pauses)


def test_tokens_are_spread_over_their_seconds() -> None:
    """An interval that a shard fills in part has a part of its speed."""
    receipts = [
        receipt(0, worker="a", started=100.0, seconds=6.0, num_tokens=60),
        receipt(1, worker="a", started=106.0, seconds=2.0, num_tokens=0),
        receipt(2, worker="b", started=101.0, seconds=2.0, num_tokens=40),
    ]
    throughput = measure_throughput(receipts, 4)
    assert throughput.workers == ["a", "b"] and throughput.pauses == []
    assert throughput.edges.tolist() == [0, 2, 4, 6, 8]
    assert throughput.rates.tolist() == [[10, 10, 10, 0], [10, 10, 0, 0]]


def test_a_pause_between_runs_is_cut_out() -> None:
    """The run that goes on follows at once, and nothing of the first one is behind the cut."""
    old = [receipt(n, started=0.1 + 3 * n, seconds=3.0, worker="old") for n in range(4)]
    new = [receipt(n, started=9000.1 + 3 * n, seconds=3.0, worker="new") for n in range(4)]
    throughput = measure_throughput(old + new, 8)
    assert throughput.workers == ["new", "old"]
    assert throughput.edges == pytest.approx(numpy.arange(9) * 3)
    assert throughput.rates == pytest.approx(numpy.repeat([[0, 100 / 3], [100 / 3, 0]], 4, axis=1))
    assert (throughput.rates[1, 4:] == 0).all()
    ((place, seconds),) = throughput.pauses
    assert (place, seconds) == pytest.approx((12.0, 8988.0))


def test_a_short_wait_is_part_of_the_run() -> None:
    """Work that waits for a moment is slow, and has not stopped."""
    receipts = [receipt(n, started=10.3 * n, seconds=10.0) for n in range(10)]
    throughput = measure_throughput(receipts, 100)
    assert throughput.pauses == []
    assert throughput.edges[-1] == pytest.approx(102.7)


def test_one_long_shard_keeps_the_time() -> None:
    """Nothing is cut out while any worker runs."""
    receipts = [receipt(n, started=1000.0 * n, seconds=1.0) for n in range(3)]
    assert len(measure_throughput(receipts, 10).pauses) == 2
    long = receipt(3, started=0.0, seconds=2001.0, worker="host:2")
    assert measure_throughput([*receipts, long], 10).pauses == []


def test_workers_of_a_host_are_neighbours() -> None:
    """Numbers in names are sorted as numbers."""
    names = ["host-10:7", "host-9:40", "host-9:5", "9", "host-9:41"]
    receipts = [receipt(n, worker=name) for n, name in enumerate(names)]
    in_order = ["9", "host-9:5", "host-9:40", "host-9:41", "host-10:7"]
    assert measure_throughput(receipts, 1).workers == in_order
