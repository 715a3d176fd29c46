"""Tables of the change of words."""

import csv
import json
from pathlib import Path

import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.senses.table import format_changes, require_table, write_changes
from allennlp_elmo_plugin.senses.word_change import WordChange

CHANGES = [
    WordChange('na\u00efve,\t"x"', 1200, 30, 0.5, 0.75, 0.25, 1 / 3, 4, 1000, 30),
    WordChange("rare", 2, 9),
]


@pytest.mark.parametrize("ending, delimiter", [(".tsv", "\t"), (".CSV", ",")])
def test_a_table_is_read_again(tmp_path: Path, ending: str, delimiter: str) -> None:
    """Words of any characters come back, numbers have six decimals, nothing is an empty cell."""
    path = tmp_path / f"x{ending}"
    write_changes(CHANGES, path)
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=delimiter))
    assert list(rows[0]) == list(WordChange._fields)
    assert [row["word"] for row in rows] == [change.word for change in CHANGES]
    assert rows[0]["jsd"] == "0.333333" and rows[0]["first_clustered"] == "1000"
    assert list(rows[1].values()) == ["rare", "2", "9"] + [""] * 7


def test_json_lines_have_types(tmp_path: Path) -> None:
    """Numbers stay numbers, and nothing is null."""
    write_changes(CHANGES, tmp_path / "x.jsonl")
    lines = (tmp_path / "x.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert rows[0] == {**CHANGES[0]._asdict(), "jsd": 0.333333}
    assert rows[1] == CHANGES[1]._asdict()


def test_another_ending_is_an_error(tmp_path: Path) -> None:
    """The error names those that there are."""
    with pytest.raises(ConfigurationError, match=r"one of \.tsv, \.csv, \.jsonl, got '.*x\.txt'"):
        require_table(tmp_path / "x.txt")


def test_columns_are_aligned() -> None:
    """Words stand at the left, numbers at the right."""
    changes = [CHANGES[0]._replace(word="coach"), CHANGES[1]]
    assert format_changes(changes).splitlines() == [
        "word   first  second     apd  cosine_distance     jsd  clusters",
        "coach  1,200      30  0.5000           0.2500  0.3333         4",
        "rare       2       9       -                -       -         -",
    ]
