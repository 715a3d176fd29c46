"""
The summary of a distributed extraction, for the terminal.
"""

from collections import defaultdict
from datetime import timedelta
from operator import attrgetter
from statistics import median
from typing import Dict, List, NamedTuple, Sequence, Union

from allennlp.common.util import format_size

from allennlp_elmo_plugin.extraction.distributed.shard import Failure, Receipt
from allennlp_elmo_plugin.io.counted import counted

__all__ = ["find_stragglers", "summarize"]

STRAGGLER_FACTOR = 3
MAX_STRAGGLERS = 5
MAX_FAILURES = 3
NUM_SLOWEST, NUM_FASTEST = 3, 2
"""Workers that have a line where there are more of them."""
MAX_ERROR_LENGTH = 100
COLUMNS = ("worker", "shards", "tokens", "tokens a busy second", "busy")
UNKNOWN = "-"
CLOCK_SECONDS = 1e-6
"""Less time than a clock tells apart, by which nothing can be divided."""


class _Work(NamedTuple):
    """The work of some shards, such as those of one worker."""

    num_shards: int
    num_tokens: int
    seconds: float

    @classmethod
    def of(cls, receipts: Sequence[Receipt]) -> "_Work":
        return cls(
            len(receipts),
            sum(receipt.num_tokens for receipt in receipts),
            sum(receipt.seconds for receipt in receipts),
        )


def summarize(
    receipts: Sequence[Receipt], failures: Sequence[Failure], began: float, report: str
) -> str:
    """
    Summarizes an extraction: sums, workers, stragglers, and shards that were set aside.

    Times and workers are those of the last run, which has the shards that were started after
    `began`. The clocks of the machines must agree well enough for that.

    # Parameters

    receipts : `Sequence[Receipt]`
        Receipts of all runs, in any order.
    failures : `Sequence[Failure]`
        Failures of the last run.
    began : `float`
        Time at which the last run began, in seconds since 1970.
    report : `str`
        Path or URL of the file with all failures.

    # Returns

    `str`
        At most 20 lines, for any number of shards and workers.
    """
    this_run = [receipt for receipt in receipts if receipt.started >= began]
    lines = [_totals(receipts), *_run_lines(this_run)]
    if len(this_run) < len(receipts):
        before = _Work.of([receipt for receipt in receipts if receipt.started < began])
        lines.insert(
            1,
            f"Runs before: {counted(before.num_shards, 'shard')} with "
            f"{counted(before.num_tokens, 'token')}, which no time below includes",
        )
    return "\n".join(lines + _straggler_lines(this_run) + _failure_lines(failures, report))


def find_stragglers(receipts: Sequence[Receipt]) -> Dict[Receipt, float]:
    """
    Finds the shards that were slow for their tokens.

    They took more than 3 times the median time of a token. They took longer than the median shard,
    too: the time of a small shard is hardly that of its tokens.

    # Parameters

    receipts : `Sequence[Receipt]`
        Receipts of one run.

    # Returns

    `Dict[Receipt, float]`
        The time of a token as a multiple of the median, for each of these shards, the slowest
        first.
    """
    with_tokens = [receipt for receipt in receipts if receipt.num_tokens]
    if not with_tokens:
        return {}
    per_token = [receipt.seconds / receipt.num_tokens for receipt in with_tokens]
    median_token = median(per_token)
    median_shard = median(receipt.seconds for receipt in with_tokens)
    slow = {
        receipt: seconds / median_token
        for receipt, seconds in zip(with_tokens, per_token)
        if seconds > STRAGGLER_FACTOR * median_token > 0 and receipt.seconds > median_shard
    }
    return dict(sorted(slow.items(), key=lambda item: -item[1]))


def _totals(receipts: Sequence[Receipt]) -> str:
    num_sentences = sum(receipt.num_sentences for receipt in receipts)
    num_tokens = sum(receipt.num_tokens for receipt in receipts)
    num_files = len({receipt.location for receipt in receipts})
    num_bytes = sum(receipt.num_bytes for receipt in receipts)
    return (
        f"Extracted {counted(num_sentences, 'sentence')} with {counted(num_tokens, 'token')} of "
        f"{counted(num_files, 'file')}: {counted(len(receipts), 'shard')}, "
        f"{format_size(num_bytes)}"
    )


def _run_lines(receipts: Sequence[Receipt]) -> List[str]:
    if not receipts:
        return ["This run finished no shard"]
    work = _Work.of(receipts)
    wall = _end(receipts) - min(receipt.started for receipt in receipts)
    shards_of = defaultdict(list)
    for receipt in receipts:
        shards_of[receipt.worker].append(receipt)
    workers = {name: _Work.of(shards) for name, shards in shards_of.items()}
    return [
        f"This run: {counted(work.num_tokens, 'token')} in {_time(wall)} from the first shard's "
        f"start to the last one's end, {_rate(work.num_tokens, wall)} tokens a second; "
        f"{counted(len(workers), 'worker')}, {_share(work.seconds, wall * len(workers))} busy",
        *_worker_lines(workers, wall),
    ]


def _worker_lines(workers: Dict[str, _Work], wall: float) -> List[str]:
    names = sorted(workers, key=lambda name: (_speed(workers[name]), name))
    num_hidden = len(names) - NUM_SLOWEST - NUM_FASTEST
    if num_hidden > 1:
        names = names[:NUM_SLOWEST] + names[-NUM_FASTEST:]
    rows = [COLUMNS]
    for name in names:
        work = workers[name]
        cells = (f"{work.num_shards:,}", f"{work.num_tokens:,}")
        times = (_rate(work.num_tokens, work.seconds), _share(work.seconds, wall))
        rows.append((_one_line(name), *cells, *times))
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = [
        f"  {row[0]:<{widths[0]}}"
        + "".join(f"  {cell:>{width}}" for cell, width in zip(row[1:], widths[1:]))
        for row in rows
    ]
    if num_hidden > 1:
        lines.insert(-NUM_FASTEST, f"  ... {num_hidden:,} workers between these speeds")
    return lines


def _straggler_lines(receipts: Sequence[Receipt]) -> List[str]:
    stragglers = find_stragglers(receipts)
    if not stragglers:
        return []
    lines = [
        f"Stragglers: {counted(len(stragglers), 'shard')} with more than {STRAGGLER_FACTOR} times "
        "the median time of a token, and more than that of a shard"
        + _shown(len(stragglers), MAX_STRAGGLERS)
    ]
    for receipt, ratio in list(stragglers.items())[:MAX_STRAGGLERS]:
        lines.append(
            f"  {_place(receipt)}: {ratio:,.1f} times, {_time(receipt.seconds)} on "
            f"{_one_line(receipt.worker)}"
        )
    return lines


def _failure_lines(failures: Sequence[Failure], report: str) -> List[str]:
    if not failures:
        return []
    lines = [
        f"Set aside: {counted(len(failures), 'shard')}, with the errors in '{report}'"
        + _shown(len(failures), MAX_FAILURES)
    ]
    for failure in sorted(failures, key=attrgetter("number"))[:MAX_FAILURES]:
        error = _one_line(failure.error)
        if len(error) > MAX_ERROR_LENGTH:
            error = error[:MAX_ERROR_LENGTH].rstrip() + " ..."
        lines.append(f"  {_place(failure)}: {error}")
    return lines


def _shown(number: int, most: int) -> str:
    return f"; the first {most}:" if number > most else ":"


def _place(part: Union[Receipt, Failure]) -> str:
    return f"{_one_line(part.location)}, bytes {part.start:,} to {part.end:,}"


def _one_line(text: str) -> str:
    """Returns the first line with text, without what a terminal would obey."""
    lines = text.strip().splitlines()
    return "".join(letter if letter.isprintable() else " " for letter in lines[0]) if lines else ""


def _end(receipts: Sequence[Receipt]) -> float:
    return max(receipt.started + receipt.seconds for receipt in receipts)


def _speed(work: _Work) -> float:
    return work.num_tokens / work.seconds if work.seconds >= CLOCK_SECONDS else 0.0


def _rate(num_tokens: int, seconds: float) -> str:
    return f"{round(num_tokens / seconds):,}" if seconds >= CLOCK_SECONDS else UNKNOWN


def _share(seconds: float, whole: float) -> str:
    return f"{seconds / whole:.0%}" if whole else UNKNOWN


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else str(timedelta(seconds=round(seconds)))
