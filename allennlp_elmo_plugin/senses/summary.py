"""
A summary of measured changes, for a terminal.
"""

from pathlib import Path
from typing import Any, Optional, Sequence

from allennlp_elmo_plugin.io.counted import counted
from allennlp_elmo_plugin.senses.word_change import WordChange

__all__ = ["NUM_PRINTED", "listed_words", "summarize_changes"]

NUM_PRINTED = 10
"""Number of words in the table that is printed."""
MAX_NAMED = 10


def summarize_changes(
    changes: Sequence[WordChange],
    output: Path,
    sort_by: str,
    min_occurrences: int,
    plot: Optional[Path] = None,
) -> str:
    """
    Tells what was written, and which words have no measures.

    # Parameters

    changes : `Sequence[WordChange]`
        The changes of all words.
    output : `Path`
        The file of the table.
    sort_by : `str`
        The measure that sorts it.
    min_occurrences : `int`
        The number of occurrences without which a word is not measured.
    plot : `Path`, optional (default = `None`)
        The file of the plot.

    # Returns

    `str`
        A few lines.
    """
    rare = [change.word for change in changes if change.apd is None]
    measured = [change for change in changes if change.apd is not None]
    without_clusters = [change.word for change in measured if change.jsd is None]
    lines = [
        f"Wrote {counted(len(changes), 'word')} to {output}, sorted by {sort_by}"
        + ("." if len(changes) <= NUM_PRINTED else f"; the first {NUM_PRINTED} are above.")
    ]
    if rare:
        lines.append(
            f"{counted(len(rare), 'word')} without measures, with fewer than {min_occurrences} "
            f"occurrences in a corpus: {listed_words(rare)}."
        )
    if without_clusters:
        lines.append(
            f"{counted(len(without_clusters), 'word')} without jsd, since affinity propagation did "
            f"not converge: {listed_words(without_clusters)}. Take --clustering kmeans for all."
        )
    if plot is not None:
        lines.append(f"Drew {plot}.")
    return "\n".join(lines)


def listed_words(words: Sequence[Any]) -> str:
    """
    Lists the first words, and counts the others.

    # Parameters

    words : `Sequence[Any]`
        The words.

    # Returns

    `str`
        The words with commas between them.
    """
    more = len(words) - MAX_NAMED
    return ", ".join(words[:MAX_NAMED]) + (f" and {more:,} more" if more > 0 else "")
