"""Receipts and failures of extractions that never ran."""

from typing import Any, List

from hypothesis import strategies

from allennlp_elmo_plugin.extraction.distributed.shard import Failure, Receipt

__all__ = ["any_failures", "any_receipts", "failure", "receipt"]

COUNTS = strategies.integers(0, 10**9)
TIMES = strategies.floats(0, 1e6)


def receipt(number: int, **fields: Any) -> Receipt:
    """Makes the receipt of a shard of 100 tokens that took 2 seconds."""
    defaults = {
        "id": f"{number:032x}",
        "number": number,
        "location": "/corpus/a.txt",
        "start": 1000 * number,
        "end": 1000 * (number + 1),
        "path": f"part-{number:06}.parquet",
        "num_sentences": 10,
        "num_tokens": 100,
        "num_bytes": 4096,
        "worker": "host:1",
        "started": 1000.0 + 2 * number,
        "seconds": 2.0,
    }
    return Receipt(**{**defaults, **fields})


def failure(number: int, **fields: Any) -> Failure:
    """Makes the failure of a shard with a blank line."""
    defaults = {
        "id": f"{number:032x}",
        "number": number,
        "location": "/corpus/b.txt",
        "start": 1000 * number,
        "end": 1000 * (number + 1),
        "error": f"Line {number} is blank.\nTraceback",
    }
    return Failure(**{**defaults, **fields})


def any_receipts(max_size: int = 20) -> "strategies.SearchStrategy[List[Receipt]]":
    """Draws receipts of some workers, of runs that may have stopped and gone on."""
    some = strategies.builds(
        receipt,
        number=strategies.integers(0, 10**6),
        location=strategies.text(max_size=5),
        num_sentences=COUNTS,
        num_tokens=COUNTS,
        num_bytes=COUNTS,
        worker=strategies.sampled_from([f"host-{i}:{i}" for i in range(12)]),
        started=TIMES,
        seconds=strategies.one_of(strategies.just(0.0), strategies.floats(1e-6, 1e4)),
    )
    return strategies.lists(some, max_size=max_size, unique_by=lambda each: each.number)


def any_failures() -> "strategies.SearchStrategy[List[Failure]]":
    """Draws failures with errors and paths of any text, also of a name that is not UTF-8."""
    texts = strategies.text(max_size=8) | strategies.just("/a/\udcff.txt")
    some = strategies.builds(
        failure, number=strategies.integers(0, 10**6), location=texts, error=texts
    )
    return strategies.lists(some, max_size=8, unique_by=lambda each: each.number)
