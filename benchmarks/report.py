"""
What a section found, and how that is printed.
"""

from typing import Any, Dict, List, NamedTuple, Sequence

__all__ = ["Section", "Table", "format_table", "mebibytes", "milliseconds", "times"]


class Table(NamedTuple):
    """
    # Parameters

    title : `str`
        What is in it, and in which units.
    columns : `Sequence[str]`
        The heads of the columns.
    rows : `Sequence[Sequence[str]]`
        The cells.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


class Section(NamedTuple):
    """
    # Parameters

    results : `Dict[str, List[Dict[str, Any]]]`
        What goes into `results.json`: rows of numbers in seconds and bytes, by table.
    tables : `List[Table]`
        What is printed.
    """

    results: Dict[str, List[Dict[str, Any]]]
    tables: List[Table]


def format_table(table: Table) -> str:
    """
    # Parameters

    table : `Table`

    # Returns

    `str`
        Its lines: numbers to the right, the rest to the left.
    """
    lines = [table.columns, *table.rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(table.columns))]
    numeric = [
        all(row[column][:1].isdigit() or row[column] == "-" for row in table.rows)
        for column in range(len(table.columns))
    ]
    formatted = [
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric)
        ).rstrip()
        for line in lines
    ]
    return "\n".join([table.title, "", *formatted])


def milliseconds(seconds: float) -> str:
    """The cell for a time: milliseconds, three digits at least."""
    value = seconds * 1000
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def mebibytes(size: float) -> str:
    """The cell for a size in bytes: MiB."""
    return f"{size / 2**20:.0f}"


def times(ratio: float) -> str:
    """The cell for a ratio."""
    return f"{ratio:.2f}x" if ratio < 10 else f"{ratio:.1f}x"
