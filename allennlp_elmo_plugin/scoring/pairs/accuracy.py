"""
The accuracy of preferences, by groups of pairs.
"""

from typing import Dict, List, Optional

from allennlp_elmo_plugin.scoring.pairs.pair_lines import UNGROUPED

__all__ = ["Accuracy"]

HEADER = ("group", "pairs", "preferred", "accuracy", "ties", "with unknown words")


class Accuracy:
    """
    Counts of pairs, and of those whose acceptable sentence is preferred.

    # Parameters

    groups : `Dict[str, List[int]]`, optional (default = `None`)
        For each group the number of pairs, of those with the right preference, of ties, and of
        those with a word outside of the vocabulary. `None` begins without any.
    """

    def __init__(self, groups: Optional[Dict[str, List[int]]] = None) -> None:
        self.groups = {} if groups is None else groups

    def add(self, group: str, chosen: str, has_unknown: bool) -> None:
        """
        Counts a pair.

        # Parameters

        group : `str`
            Its group.
        chosen : `str`
            Result of `Preference.choose`.
        has_unknown : `bool`
            `True` if one of its words is not in the vocabulary.
        """
        counts = self.groups.setdefault(group, [0, 0, 0, 0])
        for at, does_count in enumerate((True, chosen == "good", chosen == "tie", has_unknown)):
            counts[at] += does_count

    def table(self) -> str:
        """
        Returns a table with a row for each group, and one for all pairs. A tie is no success.
        """
        rows = [[name, *_cells(counts)] for name, counts in self.groups.items()]
        if list(self.groups) != [UNGROUPED]:
            rows.append([UNGROUPED, *_cells([sum(each) for each in zip(*self.groups.values())])])
        widths = [max(map(len, column)) for column in zip(HEADER, *rows)]
        lines = [
            "  ".join(
                cell.rjust(width) if at else cell.ljust(width)
                for at, (cell, width) in enumerate(zip(row, widths))
            )
            for row in [list(HEADER), *rows]
        ]
        return "\n".join(line.rstrip() for line in lines)


def _cells(counts: List[int]) -> List[str]:
    num_pairs, num_preferred, num_ties, num_unknown = counts or [0, 0, 0, 0]
    accuracy = f"{100 * num_preferred / num_pairs:.1f}%" if num_pairs else "-"
    return [f"{num_pairs:,}", f"{num_preferred:,}", accuracy, f"{num_ties:,}", f"{num_unknown:,}"]
