"""The format `jsonl`."""

import json
from typing import Any, List, Optional

import pytest
from allennlp.common.checks import ConfigurationError
from hypothesis import given
from hypothesis import strategies as st

from allennlp_elmo_plugin.extraction.inputs.json_lines import parse_json_lines
from allennlp_elmo_plugin.io.tokenization import load_sentence_rules

TEXT = st.text(st.characters(blacklist_categories=["Cs"]))


def parse_one(line: str) -> Any:
    """Returns the record of a single line."""
    (record,) = parse_json_lines([line], "a.jsonl")
    return record


@given(
    st.lists(TEXT),
    st.one_of(st.none(), TEXT),
    st.one_of(st.none(), TEXT, st.integers()),
    st.booleans(),
)
def test_what_is_written_is_read(
    tokens: List[str], sentence: Optional[str], key: Any, is_ascii: bool
) -> None:
    """Tokens, text and id are the same again, escaped or not, beside other keys."""
    fields = {"tokens": tokens, "sentence": sentence, "id": key, "score": float("nan")}
    fields = {name: value for name, value in fields.items() if value is not None}
    record = parse_one(json.dumps(fields, ensure_ascii=is_ascii))
    assert record.tokens == tokens
    assert record.text == (" ".join(tokens) if sentence is None else sentence)
    assert record.id == (None if key is None else str(key))


def test_a_sentence_is_split() -> None:
    """White space splits it, or the rules of a language; its text stays."""
    line = '{"sentence": " It\\u00a0didn\'t  rain."}'
    assert parse_one(line).tokens == ["It", "didn't", "rain."]
    (record,) = parse_json_lines([line], "a.jsonl", load_sentence_rules("en"))
    assert record.tokens == ["It", "did", "n't", "rain", "."]
    assert record.text == " It\u00a0didn't  rain."


def test_an_object_is_one_sentence() -> None:
    """The rules of a language do not split it, and do not touch `tokens`."""
    rules = load_sentence_rules("en")
    lines = ['{"sentence": "It rains. It rains."}', '{"tokens": ["It rains."]}']
    tokens = [record.tokens for record in parse_json_lines(lines, "a.jsonl", rules)]
    assert tokens == [["It", "rains", ".", "It", "rains", "."], ["It rains."]]


def test_blank_lines_are_skipped_and_counted() -> None:
    """An object without tokens is a sentence, and a blank line is none."""
    records = list(parse_json_lines(["", '{"tokens": []}', " \t", '{"sentence": ""}'], "a.jsonl"))
    assert [(record.tokens, record.text, record.line) for record in records] == [
        ([], "", 2),
        ([], "", 4),
    ]


@pytest.mark.parametrize(
    "line, problem",
    [
        ("It rains .", "it is not JSON (Expecting value at column 1)"),
        ('{"tokens": ["It"]', "it is not JSON"),
        ('{"tokens": ["It"]} {}', "it is not JSON (Extra data at column 20)"),
        ("[", "it is not JSON"),
        ('["It", "rains"]', "it is a list"),
        ("NaN", "it is a number with a fraction"),
        ("null", "it is null"),
        ('{"text": "It rains"}', "it has neither"),
        ('{"tokens": "It rains"}', "'tokens' is a string"),
        ('{"tokens": null, "sentence": "It"}', "'tokens' is null"),
        ('{"tokens": ["It", 7]}', "token 1 (from 0) is an integer"),
        ('{"tokens": [["It"]]}', "token 0 (from 0) is a list"),
        ('{"tokens": ["It"], "sentence": 1}', "'sentence' is an integer"),
        ('{"sentence": {}}', "'sentence' is an object"),
        ('{"tokens": ["It"], "id": true}', "'id' is a truth value"),
        ('{"tokens": ["It"], "id": 1.5}', "'id' is a number with a fraction"),
        ('{"tokens": ["It"], "id": NaN}', "'id' is a number with a fraction"),
        ('{"tokens": ["It"], "id": null}', "'id' is null"),
        pytest.param(f'{{"id": {"7" * 1001}}}', "an integer of 1001 digits", id="digits"),
        ('{"tokens": ["It"], "tokens": ["rains"]}', "the key 'tokens' more than once"),
        ('{"tokens": ["\\ud800"]}', "half of a surrogate pair"),
        ('{"tokens": ["It"], "id": "\\uDFFF"}', "half of a surrogate pair"),
        ('{"sentence": "\\udbff x"}', "half of a surrogate pair"),
        pytest.param("[" * 100_000 + "]" * 100_000, "nested too deeply", id="nested"),
    ],
)
def test_a_line_with_another_content_is_named(line: str, problem: str) -> None:
    """The error names the file, the line and what it has."""
    records = parse_json_lines(['{"tokens": ["It"]}', "", line], "a.jsonl")
    next(records)
    with pytest.raises(ConfigurationError) as raised:
        next(records)
    assert "'a.jsonl', line 3: expected an object in JSON with 'tokens'" in str(raised.value)
    assert problem in str(raised.value)


def test_whole_surrogate_pairs_are_characters() -> None:
    """JSON escapes a character beyond U+FFFF as two."""
    assert parse_one('{"tokens": ["\\ud83d\\ude00"]}').tokens == ["\U0001f600"]
