"""
Results of a section, and the tables that show them.
"""

from typing import Any, Dict, List, NamedTuple, Sequence

__all__ = ["Section", "Table", "format_table", "mebibytes", "milliseconds", "times"]


class Table(NamedTuple):
    """
    A table of text.

    # Parameters

    title : `str`
        Quantities in the table, and their units.
    columns : `Sequence[str]`
        Names of the columns.
    rows : `Sequence[Sequence[str]]`
        Cells of each row, one per column.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


class Section(NamedTuple):
    """
    Results of one part of a run.

    # Parameters

    results : `Dict[str, List[Dict[str, Any]]]`
        Rows of `results.json` by the name of their table, with times in seconds and sizes in bytes.
    tables : `List[Table]`
        Tables to print.
    """

    results: Dict[str, List[Dict[str, Any]]]
    tables: List[Table]


def format_table(table: Table) -> str:
    """
    Lays out a table as text.

    # Parameters

    table : `Table`
        Table to lay out.

    # Returns

    `str`
        Lines of the table. Columns of numbers are aligned right, all others left.
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
    """Formats a time in milliseconds with at least three digits."""
    value = seconds * 1000
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def mebibytes(size: float) -> str:
    """Formats a size in bytes as MiB."""
    return f"{size / 2**20:.0f}"


def times(ratio: float) -> str:
    """Formats a ratio of two speeds."""
    return f"{ratio:.2f}x" if ratio < 10 else f"{ratio:.1f}x"
