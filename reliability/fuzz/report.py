"""
The report of a run: the counts of each kind, and two tables at the end.
"""

from collections import Counter, defaultdict
from typing import Dict, List, NamedTuple, Sequence

from benchmarks.report import Table, format_table
from reliability.fuzz.result import CaseResult, Outcome

__all__ = ["Tally", "command_of", "failure_table", "summary_table"]

SHOWN_CASES = 5


class FailureType(NamedTuple):
    """
    Failures that look alike.

    # Parameters

    failure : `str`
        Type of the failure.
    place : `str`
        Place in the plugin.
    """

    failure: str
    place: str


class Tally:
    """
    The counts of one kind's results.

    # Parameters

    kind : `str`
        Name of the kind.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.outcomes: Counter[Outcome] = Counter()
        self.failures: Dict[FailureType, List[CaseResult]] = defaultdict(list)
        self.seconds = 0.0
        self.memory = 0

    def add(self, result: CaseResult) -> bool:
        """
        Counts a result.

        # Parameters

        result : `CaseResult`
            Result of a case.

        # Returns

        `bool`
            `True` for one of the first failures of its type.
        """
        self.outcomes[result.outcome] += 1
        self.seconds = max(self.seconds, result.seconds)
        self.memory = max(self.memory, result.memory)
        if result.outcome is not Outcome.FAILURE:
            return False
        alike = self.failures[FailureType(result.failure, result.place)]
        alike.append(result)
        return len(alike) <= SHOWN_CASES

    @property
    def num_failures(self) -> int:
        """The number of failures."""
        return self.outcomes[Outcome.FAILURE]


def command_of(kind: str, seed: int, index: int) -> str:
    """Returns the command that runs one case again."""
    return f"python -m reliability.fuzz --kind {kind} --seed {seed} --case {index}"


def summary_table(tallies: Sequence[Tally]) -> str:
    """Returns the table of all kinds."""
    rows = []
    for tally in tallies:
        types: Counter[str] = Counter()
        for alike, results in tally.failures.items():
            types[alike.failure] += len(results)
        rows.append(
            [
                tally.kind,
                f"{sum(tally.outcomes.values()):,}",
                *(f"{tally.outcomes[outcome]:,}" for outcome in Outcome),
                f"{tally.seconds:.2f}",
                f"{tally.memory / 1e6:.0f}",
                ", ".join(f"{name} {count:,}" for name, count in types.most_common()) or "none",
            ]
        )
    columns = [
        "kind",
        "cases",
        "correct",
        "clear errors",
        "failures",
        "s",
        "MB",
        "failures by type",
    ]
    title = "Cases; the slowest one in seconds; the largest memory above the start in MB"
    return format_table(Table(title, columns, rows))


def failure_table(tallies: Sequence[Tally], seed: int) -> str:
    """Returns the table of all types of failures, each with the command for its first case."""
    rows = [
        [tally.kind, f"{len(results):,}", *alike, command_of(tally.kind, seed, results[0].number)]
        for tally in tallies
        for alike, results in sorted(tally.failures.items(), key=lambda item: -len(item[1]))
    ]
    columns = ["kind", "cases", "failure", "place", "first case"]
    return format_table(Table("Failures by type and place", columns, rows))
