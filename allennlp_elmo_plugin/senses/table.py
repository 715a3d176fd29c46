"""
Tables of the change of words: files, and a few lines of text.
"""

import csv
import json
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Sequence

from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.extraction.output_paths import require_output_path
from allennlp_elmo_plugin.io.atomic import write_atomically
from allennlp_elmo_plugin.senses.word_change import WordChange

__all__ = ["format_changes", "require_table", "write_changes"]

DECIMALS = 6
PRINTED_DECIMALS = 4
PRINTED = ("word", "first", "second", "apd", "cosine_distance", "jsd", "clusters")


def require_table(path: Path) -> None:
    """
    Checks that a table can be written to a path, before anything is run.

    # Parameters

    path : `Path`
        Path of the file.

    # Raises

    `ConfigurationError`
        If its ending is none of `.tsv`, `.csv` and `.jsonl`, or if its folder does not exist.
    """
    if path.suffix.lower() not in WRITERS:
        raise ConfigurationError(
            f"Expected a table that ends in one of {', '.join(WRITERS)}, got '{path}'. Choose one "
            "of them."
        )
    require_output_path(path)


def write_changes(changes: Iterable[WordChange], path: Path) -> None:
    """
    Writes a table with a line for each word, whose columns are the fields of `WordChange`.

    A measure that a word lacks is an empty cell, or `null` in JSON.

    # Parameters

    changes : `Iterable[WordChange]`
        The words.
    path : `Path`
        The file, whose ending chooses its format. It appears in one step, when it is complete.

    # Raises

    `ConfigurationError`
        If its ending is none of `.tsv`, `.csv` and `.jsonl`.
    """
    require_table(path)
    rows = [_rounded(change) for change in changes]
    with write_atomically(path) as partial, open(
        partial, "w", encoding="utf-8", newline=""
    ) as file:
        WRITERS[path.suffix.lower()](rows, file)


def format_changes(changes: Sequence[WordChange]) -> str:
    """
    Lays out the words and their main columns as text.

    # Parameters

    changes : `Sequence[WordChange]`
        The words.

    # Returns

    `str`
        A line for the names of the columns, and one for each word.
    """
    lines = [PRINTED, *map(_cells, changes)]
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *(map(str.rjust, line[1:], widths[1:]))]).rstrip()
        for line in lines
    )


def _cells(change: WordChange) -> Sequence[str]:
    measures = (change.apd, change.cosine_distance, change.jsd)
    return (
        change.word,
        f"{change.first_occurrences:,}",
        f"{change.second_occurrences:,}",
        *("-" if value is None else f"{value:.{PRINTED_DECIMALS}f}" for value in measures),
        "-" if change.clusters is None else str(change.clusters),
    )


def _rounded(change: WordChange) -> Dict[str, Any]:
    return {
        name: round(value, DECIMALS) if isinstance(value, float) else value
        for name, value in change._asdict().items()
    }


def _separated_by(delimiter: str) -> Callable[[List[Dict[str, Any]], Any], None]:
    def write(rows: List[Dict[str, Any]], file: Any) -> None:
        writer = csv.DictWriter(
            file, list(WordChange._fields), delimiter=delimiter, lineterminator="\n"
        )
        writer.writeheader()
        writer.writerows(rows)

    return write


def _write_json_lines(rows: List[Dict[str, Any]], file: Any) -> None:
    for row in rows:
        file.write(json.dumps(row, ensure_ascii=False) + "\n")


WRITERS: Dict[str, Callable[[List[Dict[str, Any]], Any], None]] = {
    ".tsv": _separated_by("\t"),
    ".csv": _separated_by(","),
    ".jsonl": _write_json_lines,
}
"""Functions that write the rows of a table, by the ending of its name."""
