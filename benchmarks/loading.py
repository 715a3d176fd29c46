"""
Time that an embedder takes to load.
"""

from functools import partial
from typing import Any, Dict, List

from benchmarks.report import Section, Table, milliseconds, times
from benchmarks.settings import Settings
from benchmarks.sides import ALLENNLP, build_embedder
from benchmarks.timing import interleaved_medians, seconds_of

__all__ = ["measure_loading"]


def measure_loading(settings: Settings) -> Section:
    """
    Times the constructors of both sides, interleaved, on the same files.

    The files are in the system's page cache.

    # Parameters

    settings : `Settings`
        Models, sentences and workload of the run.

    # Returns

    `Section`
        Times for each shape.
    """
    rows: List[Dict[str, Any]] = []
    for shape, folder in settings.models.items():
        tasks = {side: partial(build_embedder, side, folder) for side in settings.sides}
        for load in tasks.values():
            seconds_of(load)
        seconds = interleaved_medians(tasks, settings.rounds)
        rows.extend(
            {
                "shape": shape,
                "side": side,
                "seconds": taken,
                "ratio": seconds[ALLENNLP] / taken,
            }
            for side, taken in seconds.items()
        )
    table = Table(
        "Loading from local files: milliseconds",
        ("shape", "", "time", "ratio"),
        [
            (row["shape"], row["side"], milliseconds(row["seconds"]), times(row["ratio"]))
            for row in rows
        ],
    )
    return Section({"loading": rows}, [table])
