"""Minimal pairs: their files, preferences and accuracy."""

import json
from pathlib import Path
from typing import Any, Dict, List

import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.scoring.pairs.accuracy import Accuracy
from allennlp_elmo_plugin.scoring.pairs.pair_file import PairFile
from allennlp_elmo_plugin.scoring.pairs.preference import MemberScores, Preference

LINES = "the rain falls .\tthe rain fall .\tagreement\nshe saw\tshe see\n"
BLIMP = [
    {"sentence_good": "Cats sleep.", "sentence_bad": "Cats sleeps.", "UID": "a", "phenomenon": "b"},
    {"sentence_good": "It rains.", "sentence_bad": "It rain.", "phenomenon": "c", "pairID": 3},
    {"sentence_good": "He left.", "sentence_bad": "He leave.", "pairID": 4},
]


def _write(path: Path, rows: List[Dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def _read(pairs: PairFile) -> List[Any]:
    assert pairs.survey().num_sentences == len(list(pairs))
    return [(sentence.key, " ".join(sentence.tokens)) for sentence in pairs]


def test_a_tab_separates_sentences_and_their_group(tmp_path: Path) -> None:
    """A third field is the group, and without one there is one group."""
    path = tmp_path / "pairs.tsv"
    path.write_text(LINES, encoding="utf-8")
    assert _read(PairFile(path)) == [
        ("agreement", "the rain falls ."),
        ("agreement", "the rain fall ."),
        ("all", "she saw"),
        ("all", "she see"),
    ]


@pytest.mark.parametrize("folder", [None, "work"])
def test_the_fields_of_blimp_are_read(tmp_path: Path, folder: Any) -> None:
    """The group is the UID, or else the phenomenon, and a language tokenizes the sentences."""
    path = _write(tmp_path / "blimp.jsonl", BLIMP)
    (tmp_path / "work").mkdir()
    place = None if folder is None else tmp_path / folder
    found = _read(PairFile(path, language="en", working_folder=place))
    assert found[:3] == [("a", "Cats sleep ."), ("a", "Cats sleeps ."), ("c", "It rains .")]
    assert [key for key, _ in found[3:]] == ["c", "all", "all"]


def test_another_field_may_be_the_group(tmp_path: Path) -> None:
    """It is a text or a number, and each line has it."""
    path = _write(tmp_path / "a.jsonl", BLIMP[1:])
    keys = [key for key, _ in _read(PairFile(path, group_by="pairID"))]
    assert keys == ["3", "3", "4", "4"]
    path = _write(tmp_path / "a.jsonl", BLIMP)
    with pytest.raises(ConfigurationError, match="line 1: expected.*'pairID', but it has no"):
        PairFile(path, group_by="pairID").survey()


@pytest.mark.parametrize(
    "name, text, expected",
    [
        ("a.tsv", "a\tb\n\n", "line 2: expected two sentences.* got 1 of"),
        ("a.tsv", "a b\n", "line 1: expected two sentences.* got 1 of"),
        ("a.tsv", "a\tb\tc\td\n", "line 1: .*got 4 of"),
        ("a.tsv", "a\tb\na\t \n", "line 2: .*the second sentence is empty"),
        ("a.tsv", "\tb\n", "line 1: .*the first sentence is empty"),
        ("a.tsv", "a\tb\t\n", "line 1: .*the name of a group is empty"),
        ("a.jsonl", '{"sentence_good": "a"}\n', "line 1: .*it has no 'sentence_bad'"),
        ("a.jsonl", '\n{"sentence_good": "a", "sentence_bad": 3}\n', "line 2: .*'sentence_bad' is"),
        ("a.jsonl", "[]\n", r"line 1: .*it is '\[\]'"),
        ("a.jsonl", "{\n", "line 1: expected an object in JSON"),
    ],
)
def test_a_line_without_a_pair_is_named(
    tmp_path: Path, name: str, text: str, expected: str
) -> None:
    """The error has the number of the line."""
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=f"{name}', {expected}"):
        PairFile(tmp_path / name).survey()


def test_other_formats_are_refused(tmp_path: Path) -> None:
    """CoNLL-U has no pairs, and lines have no fields."""
    with pytest.raises(ConfigurationError, match="Expected pairs in one of.*'conllu'"):
        PairFile(tmp_path / "a.conllu")
    with pytest.raises(ConfigurationError, match="Got the field 'UID'.*no named fields"):
        PairFile(tmp_path / "a.tsv", group_by="UID")


@pytest.mark.parametrize(
    "by, normalize, expected",
    [
        ("forward", "none", "bad"),
        ("backward", "none", "good"),
        ("both", "none", "tie"),
        ("both", "tokens", "bad"),
        ("backward", "tokens", "tie"),
    ],
)
def test_a_rule_chooses(by: str, normalize: str, expected: str) -> None:
    """The higher score is preferred, and equal ones are a tie."""
    good, bad = MemberScores(["a"], [], 2, -6.0, -2.0), MemberScores(["b"] * 3, [], 4, -4.0, -4.0)
    assert Preference(by, normalize).choose(good, bad) == expected


@pytest.mark.parametrize("rule", [Preference("left"), Preference(normalize="words")])
def test_another_rule_is_an_error(rule: Preference) -> None:
    """The error names the choices."""
    with pytest.raises(ConfigurationError, match="to be one of .*got '(left|words)'"):
        rule.require_valid()


def test_accuracy_is_counted_by_groups() -> None:
    """A tie is no success, and the last row has all pairs."""
    accuracy = Accuracy()
    for group, chosen, has_unknown in (
        ("agreement", "good", False),
        ("order", "bad", True),
        ("agreement", "tie", False),
        ("agreement", "good", True),
    ):
        accuracy.add(group, chosen, has_unknown)
    rows = [line.split() for line in accuracy.table().splitlines()]
    assert rows[1:] == [
        ["agreement", "3", "2", "66.7%", "1", "1"],
        ["order", "1", "0", "0.0%", "0", "1"],
        ["all", "4", "2", "50.0%", "1", "2"],
    ]
    assert Accuracy(json.loads(json.dumps(accuracy.groups))).table() == accuracy.table()


def test_a_single_group_has_one_row() -> None:
    """Without groups, all pairs are one, and without pairs there is no accuracy."""
    accuracy = Accuracy()
    assert accuracy.table().splitlines()[1].split() == ["all", "0", "0", "-", "0", "0"]
    accuracy.add("all", "good", False)
    assert len(accuracy.table().splitlines()) == 2
