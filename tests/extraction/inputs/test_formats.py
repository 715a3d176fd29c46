"""Choosing the format of an input file."""

from pathlib import Path
from typing import List, Optional

import pytest
from allennlp.common.checks import ConfigurationError
from hypothesis import given
from hypothesis import strategies as st

from allennlp_elmo_plugin.extraction.inputs.formats import (
    INPUT_FORMATS,
    choose_format,
    parse_records,
)


@pytest.mark.parametrize("compression", ["", ".gz", ".bz2", ".xz"])
@pytest.mark.parametrize(
    "name, expected",
    [
        ("a.jsonl", "jsonl"),
        ("a.json", "jsonl"),
        ("a.conllu", "conllu"),
        ("a.fasta", "fasta"),
        ("a.fa", "fasta"),
        ("a.FAA", "fasta"),
        ("a.txt", "lines"),
        ("a", "lines"),
        ("fasta", "lines"),
        ("a.jsonl/b", "lines"),
    ],
)
def test_the_ending_chooses(name: str, expected: str, compression: str) -> None:
    """The suffix of a compression may follow."""
    assert choose_format(name + compression) == expected
    assert choose_format(Path(name + compression)) == expected


def test_a_name_chooses_before_the_ending() -> None:
    """Raw text is a matter of the language, in two formats."""
    assert choose_format("a.fasta", "lines") == "lines"
    assert choose_format("a.txt", None, "en") == "lines"
    assert choose_format("a.jsonl", None, "en") == "jsonl"


@pytest.mark.parametrize(
    "input_format, language, problem",
    [
        ("json", None, "one of lines, jsonl, conllu, fasta, got 'json'"),
        ("conllu", "en", "'conllu' has tokens of its own. Leave out the language 'en'"),
        (None, "en", "'fasta' has tokens of its own"),
    ],
)
def test_a_choice_that_cannot_be_is_named(
    input_format: Optional[str], language: Optional[str], problem: str
) -> None:
    """The error lists what can be chosen."""
    with pytest.raises(ConfigurationError, match=problem):
        choose_format("a.fasta", input_format, language)


@pytest.mark.parametrize("input_format", INPUT_FORMATS)
@given(
    lines=st.lists(
        st.text(
            st.one_of(
                st.sampled_from('{}[]":,>#-._=/0123\\u\t\r '),
                st.characters(blacklist_characters="\n", blacklist_categories=["Cs"]),
            )
        )
    )
)
def test_any_text_is_parsed_or_refused(input_format: str, lines: List[str]) -> None:
    """Nothing but the error for users comes out, and it names the file."""
    try:
        records = list(parse_records(lines, "a.text", input_format))
    except ConfigurationError as error:
        assert "'a.text', " in str(error)
    else:
        assert len(records) <= sum(1 + line.count("\r") for line in lines)
        assert all(isinstance(token, str) for record in records for token in record.tokens)
