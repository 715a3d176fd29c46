"""The format `lines` with a language."""

from allennlp_elmo_plugin.extraction.inputs.raw_text import parse_raw_text
from allennlp_elmo_plugin.io.tokenization import load_sentence_rules


def test_lines_are_split_into_sentences_and_tokens() -> None:
    """A sentence keeps its text and its line, and ends with the line at the latest."""
    lines = ["Dr. Gray  didn't stop. It rains! ", "", "  ", "A new line"]
    records = list(parse_raw_text(lines, "a.txt", load_sentence_rules("en")))
    assert [tuple(record) for record in records] == [
        (["Dr.", "Gray", "did", "n't", "stop", "."], "Dr. Gray  didn't stop.", 1, None),
        (["It", "rains", "!"], "It rains!", 1, None),
        (["A", "new", "line"], "A new line", 4, None),
    ]


def test_the_language_decides() -> None:
    """French splits at an apostrophe where English does not."""
    records = parse_raw_text(["L'eau coule."], "a.txt", load_sentence_rules("fr"))
    assert next(records).tokens == ["L'", "eau", "coule", "."]
