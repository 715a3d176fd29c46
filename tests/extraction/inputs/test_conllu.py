"""The format `conllu`."""

from typing import List

import pytest
from allennlp.common.checks import ConfigurationError
from hypothesis import given
from hypothesis import strategies as st

from allennlp_elmo_plugin.extraction.inputs.conllu import parse_conllu_words


def row(word_id: str, form: str) -> str:
    """Returns one line of CoNLL-U."""
    return "\t".join([word_id, form, *"_" * 8])


SENTENCES = [
    "# newdoc id = d",
    "# sent_id = d-1",
    "# text = He can't = no.",
    row("1", "He"),
    row("2-3", "can't"),
    row("2", "ca"),
    row("3", "n't"),
    row("3.1", "go"),
    "",
    "# a comment alone",
    "",
    "",
    row("1", "#"),
    row("2", "10 000"),
    row("3", "_"),
]


def test_words_ids_and_texts_are_read() -> None:
    """Ranges, empty nodes and blocks without words are skipped; a form may have a space."""
    records = list(parse_conllu_words(SENTENCES, "a.conllu"))
    assert [tuple(record) for record in records] == [
        (["He", "ca", "n't"], "He can't = no.", 1, "d-1"),
        (["#", "10 000", "_"], "# 10 000 _", 13, None),
    ]


FORMS = st.text(
    st.characters(blacklist_categories=["Cs", "Zs", "Zl", "Zp", "Cc"]), min_size=1, max_size=5
)


@given(st.lists(st.lists(FORMS, min_size=1, max_size=4), max_size=4))
def test_what_is_written_is_read(sentences: List[List[str]]) -> None:
    """Whatever the forms look like."""
    lines = []
    for tokens in sentences:
        lines += [row(str(number), token) for number, token in enumerate(tokens, start=1)]
        lines.append("")
    assert [record.tokens for record in parse_conllu_words(lines, "a.conllu")] == sentences


def test_other_columns_may_hold_anything() -> None:
    """Only ID and FORM are read, also where the file names its columns."""
    assert next(parse_conllu_words(["1\tHe\t_\t_\t_\t_\tx\tx\t0:0\tx"], "a")).tokens == ["He"]
    lines = ["# global.columns = ID UPOS FORM", "1\tPRON\tHe"]
    assert next(parse_conllu_words(lines, "a")).tokens == ["He"]


@pytest.mark.parametrize(
    "lines, problem",
    [
        (["1 He"], "line that cannot be parsed"),
        ([row("one", "He")], "'one' is not a valid ID"),
        pytest.param([row("1" * 5000, "He")], "", id="digits"),
        ([row("1", "He"), row("1", "sat")], r"numbered from 1 up, got \[1, 1\]"),
        ([row("1", "")], "a word without one"),
        (["# global.columns = ID UPOS", "1\tPRON"], "expected ID and FORM .* got ID UPOS"),
    ],
)
def test_a_sentence_of_another_form_is_named(lines: List[str], problem: str) -> None:
    """The error names the file, the number of the sentence and its lines."""
    records = parse_conllu_words([row("1", "No"), "", "", *lines, ""], "a.conllu")
    next(records)
    with pytest.raises(ConfigurationError, match=f"'a.conllu', sentence 2: .*{problem}") as raised:
        next(records)
    assert f"the lines 4 to {3 + len(lines)}" in str(raised.value)
