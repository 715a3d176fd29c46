"""Splitting text files into sentences and tokens."""

import gzip
from pathlib import Path

import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.io.tokenization import (
    load_rules,
    load_sentence_rules,
    split_sentences,
    split_tokens,
    tokenize_files,
)

TEXT = "\ufeffDr. Gray  didn't stop. It rains!\r\n\r\nA new line\r\nand one more.\n"
TOKENS = ["Dr. Gray did n't stop .", "It rains !", "A new line", "and one more ."]


def test_rules_split_a_sentence_without_a_trained_model() -> None:
    """The pipeline has no component beside the tokenizer, which follows the language."""
    rules = load_rules("fr")
    assert rules.pipe_names == []
    assert [token.text for token in rules("L'eau coule.")] == ["L'", "eau", "coule", "."]


def test_a_line_of_the_copy_is_one_sentence(tmp_path: Path) -> None:
    """Sentences end with their lines, blank lines vanish, and gzipped texts are read as well."""
    (tmp_path / "a.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(TEXT.encode()))
    files = [str(tmp_path / name) for name in ("a.txt", "b.txt.gz")]
    copies = tokenize_files(files, tmp_path / "new" / "corpus")
    assert [path.name for path in copies] == ["a.txt", "b.txt"]
    for path in copies:
        assert path.read_text(encoding="utf-8").splitlines() == TOKENS


def test_a_very_long_line_is_tokenized(tmp_path: Path) -> None:
    """SpaCy's limit of a million characters does not apply to the rules."""
    (tmp_path / "a.txt").write_text("It rains. " * 110_000, encoding="utf-8")
    (copy,) = tokenize_files([str(tmp_path / "a.txt")], tmp_path / "corpus")
    assert copy.read_text(encoding="utf-8") == "It rains .\n" * 110_000


def test_a_text_is_never_overwritten(tmp_path: Path) -> None:
    """Neither a text by its own copy, nor one copy by another."""
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text("It rains.\n")
    files = [str(tmp_path / name / "a.txt") for name in ("x", "y")]
    for texts, folder in ((files[:1], tmp_path / "x"), (files, tmp_path / "corpus")):
        with pytest.raises(ConfigurationError, match=r"different names.*a\.txt"):
            tokenize_files(texts, folder)
    assert (tmp_path / "x" / "a.txt").read_text() == "It rains.\n"
    assert not (tmp_path / "corpus").exists()


def test_a_text_that_is_not_utf_8_leaves_no_copy(tmp_path: Path) -> None:
    """A copy appears only when its text was read to the end."""
    (tmp_path / "a.txt").write_bytes(b"It rains.\n" * 10 + b"\xff\n")
    with pytest.raises(ConfigurationError, match=r"a\.txt.*line 11 "):
        tokenize_files([str(tmp_path / "a.txt")], tmp_path / "corpus")
    assert list((tmp_path / "corpus").iterdir()) == []


def test_an_unknown_language_is_named_in_the_error(tmp_path: Path) -> None:
    """Nothing is written for a language that spaCy does not know."""
    (tmp_path / "a.txt").write_text("It rains.\n")
    with pytest.raises(ConfigurationError, match="'language'.*got 'zz'"):
        tokenize_files([str(tmp_path / "a.txt")], tmp_path / "corpus", "zz")
    assert list((tmp_path / "corpus").iterdir()) == []


def test_a_sentence_keeps_its_text_and_line() -> None:
    """White space around it is left out, and white space alone is no sentence."""
    sentences = list(split_sentences(["", " It  rains. No! ", " \t "], load_sentence_rules("en")))
    assert [tuple(sentence) for sentence in sentences] == [
        (["It", "rains", "."], "It  rains.", 2),
        (["No", "!"], "No!", 2),
    ]


def test_tokens_of_a_sentence_are_not_split_into_sentences() -> None:
    """White space is no token."""
    tokens = split_tokens(" It  rains. No!\n", load_sentence_rules("en"))
    assert tokens == ["It", "rains", ".", "No", "!"]
