"""The summary of a distributed extraction."""

import re
from typing import List

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allennlp_elmo_plugin.extraction.distributed.shard import Failure, Receipt
from allennlp_elmo_plugin.extraction.distributed.summary import find_stragglers, summarize
from tests.extraction.distributed.receipts import any_failures, any_receipts, failure, receipt

REPORT = "out.partial/failed.jsonl"


def lines_of(receipts: List[Receipt], *failures: Failure, began: float = 0.0) -> List[str]:
    """Returns the lines of a summary."""
    return summarize(receipts, failures, began, REPORT).split("\n")


def test_a_run_is_summed() -> None:
    """Sentences, tokens, files, shards and bytes have one line, and the run has another."""
    receipts = [receipt(0), receipt(1, location="b.txt", num_tokens=1100, num_sentences=1)]
    totals, run = lines_of(receipts)[:2]
    assert totals == "Extracted 11 sentences with 1,200 tokens of 2 files: 2 shards, 8.0K"
    assert run == (
        "This run: 1,200 tokens in 4.0 s from the first shard's start to the last one's end, 300 "
        "tokens a second; 1 worker, 100% busy"
    )


def test_workers_have_their_own_speed() -> None:
    """It is that of the time in which they were busy; the slowest is the first."""
    receipts = [
        receipt(0, worker="a:1", started=50.0, seconds=100.0, num_tokens=20_000),
        receipt(1, worker="b:22", started=50.0, seconds=30.0),
        receipt(2, worker="b:22", started=90.0, seconds=20.0),
    ]
    assert lines_of(receipts)[2:] == [
        "  worker  shards  tokens  tokens a busy second  busy",
        "  b:22         2     200                     4   50%",
        "  a:1          1  20,000                   200  100%",
    ]


def test_many_workers_take_few_lines() -> None:
    """The slowest and the fastest have lines of their own."""
    receipts = [receipt(n, worker=f"w:{n}", num_tokens=100 + n, started=1.0) for n in range(1500)]
    table = lines_of(receipts)[3:9]
    assert [line.split()[0] for line in table] == ["w:0", "w:1", "w:2", "...", "w:1498", "w:1499"]
    assert table[3] == "  ... 1,495 workers between these speeds"
    # A line that stands for one worker would save none.
    assert "..." not in summarize(receipts[:6], [], 0.0, REPORT)


def test_runs_before_count_in_totals_alone() -> None:
    """The pause between two runs is no time of extraction."""
    old = [receipt(n, started=100.0 + n, worker="old:1") for n in range(3)]
    new = receipt(3, started=9000.0, seconds=1.5, num_tokens=300, worker="new:1")
    totals, before, run, _, *workers = lines_of([*old, new], began=8999.0)
    assert "600 tokens" in totals and "4 shards" in totals
    assert before == "Runs before: 3 shards with 300 tokens, which no time below includes"
    assert run.startswith("This run: 300 tokens in 1.5 s ") and " 200 tokens a second" in run
    assert [worker.split()[0] for worker in workers] == ["new:1"]


def test_a_run_without_work_is_told() -> None:
    """Nothing was left to do, or all that was left was set aside."""
    assert lines_of([receipt(0)], began=5000.0)[2:] == ["This run finished no shard"]
    assert lines_of([])[0] == "Extracted 0 sentences with 0 tokens of 0 files: 0 shards, 0B"


def test_long_times_have_hours() -> None:
    """From a minute on, they are hours, minutes and seconds."""
    assert " in 59.9 s " in lines_of([receipt(0, seconds=59.9)])[1]
    assert " in 1:02:03 " in lines_of([receipt(0, seconds=3723.2)])[1]


def test_stragglers_are_slow_for_their_tokens() -> None:
    """A long shard with many tokens is none, and a small one with some overhead is none either."""
    usual = [receipt(n) for n in range(9)]
    long = receipt(9, num_tokens=1000, seconds=20.0)
    small = receipt(10, num_tokens=1, seconds=1.0)
    empty = receipt(11, num_tokens=0, seconds=50.0)
    slow = receipt(12, num_tokens=100, seconds=7.0)
    slower = receipt(13, num_tokens=10, seconds=3.0)
    found = find_stragglers([*usual, long, small, empty, slow, slower])
    assert list(found) == [slower, slow]
    assert list(found.values()) == pytest.approx([15.0, 3.5])


def test_stragglers_have_file_and_bytes() -> None:
    """The worst five are shown."""
    slow = [receipt(100 + n, seconds=10.0 + n, worker=f"host:{n}") for n in range(7)]
    lines = lines_of([*map(receipt, range(50)), *slow])
    (first,) = [index for index, line in enumerate(lines) if line.startswith("Stragglers: ")]
    assert lines[first].startswith("Stragglers: 7 shards with more than 3 times the median time")
    assert lines[first].endswith("; the first 5:")
    assert lines[first + 1] == (
        "  /corpus/a.txt, bytes 106,000 to 107,000: 8.0 times, 16.0 s on host:6"
    )
    assert len(lines) == first + 6


def test_failures_have_the_first_line_of_their_error() -> None:
    """The first shards are shown, and where all of the errors are."""
    failures = [failure(number) for number in (7, 5, 3, 9)]
    lines = lines_of([receipt(0)], *failures)[-4:]
    assert lines == [
        "Set aside: 4 shards, with the errors in 'out.partial/failed.jsonl'; the first 3:",
        "  /corpus/b.txt, bytes 3,000 to 4,000: Line 3 is blank.",
        "  /corpus/b.txt, bytes 5,000 to 6,000: Line 5 is blank.",
        "  /corpus/b.txt, bytes 7,000 to 8,000: Line 7 is blank.",
    ]
    (one,) = lines_of([], failure(0, error="\n\x1b[31m" + "x" * 200 + "\nb"))[-1:]
    assert one == "  /corpus/b.txt, bytes 0 to 1,000:  [31m" + "x" * 95 + " ..."


def test_a_time_too_short_to_measure_has_no_rate() -> None:
    """Tokens in next to no time are not divided by it."""
    lines = lines_of([receipt(0, started=0.0, seconds=1e-303)], began=0.0)
    assert any(" - tokens a second" in line for line in lines)


@given(any_receipts(), any_failures(), st.floats(0, 1e6))
def test_any_summary_is_short_and_complete(
    receipts: List[Receipt], failures: List[Failure], began: float
) -> None:
    """It has at most 20 lines, all sums, and every token of the run in one of its workers."""
    lines = lines_of(receipts, *failures, began=began)
    assert len(lines) <= 20
    assert all(line.isprintable() for line in lines)
    numbers = [int(number.replace(",", "")) for number in re.findall(r"\b\d[\d,]*", lines[0])]
    assert numbers[0] == sum(each.num_sentences for each in receipts)
    assert numbers[1] == sum(each.num_tokens for each in receipts)
    assert numbers[3] == len(receipts)
    run = [each for each in receipts if each.started >= began]
    rows = re.findall(r"^  host-\S+ +[\d,]+ +([\d,]+) +\S+ +\S+$", "\n".join(lines), re.MULTILINE)
    if len({each.worker for each in run}) <= 6:
        num_tokens = [int(tokens.replace(",", "")) for tokens in rows]
        assert sum(num_tokens) == sum(each.num_tokens for each in run)


def test_a_hundred_thousand_shards_are_summarized() -> None:
    """A summary of any size fits on a screen."""
    receipts = [receipt(n, worker=f"host:{n % 300}") for n in range(100_000)]
    failures = [failure(n) for n in range(100_000)]
    assert len(lines_of(receipts, *failures)) == 13
