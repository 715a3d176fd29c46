"""Parsing sentences of CoNLL-U."""

from typing import List

import pytest
from conllu import parse

from allennlp_elmo_plugin.io.conllu_sentences import parse_conllu

ROWS = ["1\tHe\the\tPRON\tPRP\tCase=Nom\t2\tnsubj\t_\t_", "2\tsat\tsit\tVERB\t_\t_\t0\troot\t_\t_"]


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["", " "],
        ["# text = He sat", *ROWS, ""],
        [*ROWS, "", "", "# a = b = c", "# d", "1-2\tIt's\t_", *ROWS, " \t", "# alone"],
    ],
)
def test_sentences_are_those_of_the_library(lines: List[str]) -> None:
    """Blocks of lines, words, their columns and comments are as `conllu.parse` finds them."""
    expected = parse("\n".join(lines))
    found = list(parse_conllu(lines, "a"))
    assert [sentence.metadata for sentence in found] == [each.metadata for each in expected]
    assert [sentence.words for sentence in found] == [
        [word for word in each if isinstance(word["id"], int)] for each in expected
    ]


def test_sentences_know_their_place() -> None:
    """The number of the sentence and the line it starts in count from 1."""
    sentences = parse_conllu(["", *ROWS, "", "# a", *ROWS], "a.conllu")
    assert [(sentence.location, sentence.line) for sentence in sentences] == [
        ("'a.conllu', sentence 1", 2),
        ("'a.conllu', sentence 2", 5),
    ]
