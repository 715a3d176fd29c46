"""The format `lines`."""

import io
from typing import List

from hypothesis import given
from hypothesis import strategies as st

from allennlp_elmo_plugin.extraction.inputs.tokenized_lines import parse_tokenized_lines
from allennlp_elmo_plugin.io.text_lines import decode_lines

WHITE_SPACE = " \t\x0b\x0c\x1c\x85\u00a0\u2028\u3000"


def python_lines(content: bytes) -> List[str]:
    """Returns the lines that a text file of Python has, as AllenNLP 0.9 opened its input."""
    with io.TextIOWrapper(io.BytesIO(content), encoding="utf-8") as file:
        return list(file)


@given(st.text(st.sampled_from("ab\u00e9\r\n" + WHITE_SPACE), max_size=40))
def test_sentences_are_those_of_allennlp(text: str) -> None:
    r"""Every line end of Python ends a sentence, and white space of Unicode separates tokens."""
    # In a file that ends so, the last line end may be two.
    content = text.replace("\r\r\n", "\r\n").encode()
    expected = [(line.strip().split(), line.strip()) for line in python_lines(content)]
    records = list(parse_tokenized_lines(decode_lines(io.BytesIO(content), "a.txt"), "a.txt"))
    assert [(record.tokens, record.text) for record in records] == expected
    assert [record.line for record in records] == list(range(1, len(expected) + 1))


@given(
    st.lists(
        st.lists(
            st.text(st.characters(blacklist_categories=["Cs", "Zs", "Zl", "Zp", "Cc"]), min_size=1),
            min_size=1,
        )
    )
)
def test_joined_tokens_are_read_back(sentences: List[List[str]]) -> None:
    """Tokens without white space survive a line."""
    lines = [" ".join(tokens) for tokens in sentences]
    assert [record.tokens for record in parse_tokenized_lines(lines, "a.txt")] == sentences


def test_no_sentence_has_an_id() -> None:
    """A blank line is a sentence without tokens."""
    records = list(parse_tokenized_lines(["It rains .", " \t", ""], "a.txt"))
    assert [record.tokens for record in records] == [["It", "rains", "."], [], []]
    assert {record.id for record in records} == {None}
