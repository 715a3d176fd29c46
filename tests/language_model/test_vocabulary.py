"""The vocabulary file of a biLM."""

from pathlib import Path

import pytest
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import Vocabulary

from allennlp_elmo_plugin import BilmVocabulary
from allennlp_elmo_plugin.language_model.vocabulary import write_vocabulary_file

LINES = ["</S>", "<S>", "<UNK>", "the", "caf\u00e9", "!!!MAXTERMID", "@@PADDING@@", "rain"]
WORDS = [line for line in LINES if line != "!!!MAXTERMID"]


def _write(folder: Path, lines: list) -> str:
    path = folder / "words.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def _words(vocabulary: Vocabulary) -> list:
    words = vocabulary.get_index_to_token_vocabulary("tokens")
    return [words[index] for index in range(len(words))]


def test_a_line_is_a_row_of_the_softmax(tmp_path: Path) -> None:
    """Ids count from 0 without a padding entry, and the line that bilm-tf ignores has none."""
    params = Params({"type": "bilm_vocabulary", "file": _write(tmp_path, LINES)})
    vocabulary = Vocabulary.from_params(params)
    assert isinstance(vocabulary, BilmVocabulary)
    assert _words(vocabulary) == WORDS
    assert vocabulary.get_token_index("zebra") == WORDS.index("<UNK>")


def test_an_archive_contains_it(tmp_path: Path) -> None:
    """The vocabulary that AllenNLP saves and reads with an archive is the same."""
    words = [word for word in WORDS if word != "@@PADDING@@"]
    vocabulary = BilmVocabulary.from_vocabulary_file(_write(tmp_path, words))
    vocabulary.save_to_files(str(tmp_path / "vocabulary"))
    again = BilmVocabulary.from_files(str(tmp_path / "vocabulary"), "@@PADDING@@", "@@UNKNOWN@@")
    assert _words(again) == words
    assert again.get_token_index("zebra") == words.index("<UNK>")


@pytest.mark.parametrize("is_padded", [True, False])
def test_a_vocabulary_is_written(tmp_path: Path, is_padded: bool) -> None:
    """AllenNLP's padding token and unknown word get the names that bilm-tf uses."""
    words = ["<S>", "</S>", "rain", "caf\u00e9"]
    vocabulary = Vocabulary(tokens_to_add={"tokens": words})
    if not is_padded:
        vocabulary = BilmVocabulary.from_vocabulary_file(_write(tmp_path, [*words, "<UNK>"]))
    write_vocabulary_file(tmp_path / "written.txt", vocabulary, "tokens")
    written = BilmVocabulary.from_vocabulary_file(str(tmp_path / "written.txt"))
    assert _words(written) == (["<PAD>", "<UNK>", *words] if is_padded else [*words, "<UNK>"])


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (["<S>", "</S>", "rain"], "'<UNK>' is missing"),
        (["<UNK>"], "'<S>' is missing; '</S>' is missing"),
        (["<S>", "</S>", "<UNK>", "rain", "rain"], "'rain' occurs 2 times"),
    ],
)
def test_a_file_that_fits_no_softmax_is_an_error(tmp_path: Path, lines: list, problem: str) -> None:
    """The error names the file and every word that is missing or doubled."""
    with pytest.raises(ConfigurationError) as raised:
        BilmVocabulary.from_vocabulary_file(_write(tmp_path, lines))
    assert problem in str(raised.value) and "words.txt" in str(raised.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The error for a missing file names its path."""
    with pytest.raises(ConfigurationError, match="nowhere"):
        BilmVocabulary.from_vocabulary_file(str(tmp_path / "nowhere.txt"))


def test_a_word_may_contain_other_line_ends(tmp_path: Path) -> None:
    """A line ends with a line feed alone, so no later word gets another id."""
    words = [f"a{character}b" for character in "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"]
    words = ["<S>", "</S>", "<UNK>", "\xa0", "\u3000", *words, "rain"]
    for mark, end in (("", "\n"), ("\ufeff", "\r\n")):
        (tmp_path / "words.txt").write_bytes((mark + end.join(words)).encode())
        vocabulary = BilmVocabulary.from_vocabulary_file(str(tmp_path / "words.txt"))
        assert _words(vocabulary) == words
    write_vocabulary_file(tmp_path / "written.txt", vocabulary, "tokens")
    assert _words(BilmVocabulary.from_vocabulary_file(str(tmp_path / "written.txt"))) == words


@pytest.mark.parametrize(
    "word", ["a\nb", "a\rb", "a\r", "\n", " a", "a\t", "\ud800", "!!!MAXTERMID"], ids=ascii
)
def test_a_word_that_cannot_be_read_back_is_not_written(tmp_path: Path, word: str) -> None:
    """The error names it, and no file appears."""
    vocabulary = Vocabulary(tokens_to_add={"tokens": ["rain", word]})
    with pytest.raises(ConfigurationError) as raised:
        write_vocabulary_file(tmp_path / "written.txt", vocabulary, "tokens")
    assert ascii(word) in str(raised.value) and "1 of 4" in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_a_file_may_be_cut_within_the_last_line_end(tmp_path: Path) -> None:
    """The carriage return that remains of it belongs to no word."""
    (tmp_path / "words.txt").write_bytes(b"<S>\r\n</S>\r\n<UNK>\r\nrain\r")
    vocabulary = BilmVocabulary.from_vocabulary_file(str(tmp_path / "words.txt"))
    assert _words(vocabulary) == ["<S>", "</S>", "<UNK>", "rain"]


def test_a_first_word_is_no_byte_order_mark(tmp_path: Path) -> None:
    """A word that begins with one can be any but the first."""
    vocabulary = Vocabulary(non_padded_namespaces=["tokens"])
    for word in ("\ufeffrain", "<S>", "</S>", "<UNK>"):
        vocabulary.add_token_to_namespace(word, "tokens")
    with pytest.raises(ConfigurationError, match="ufeffrain"):
        write_vocabulary_file(tmp_path / "written.txt", vocabulary, "tokens")
    words = ["<S>", "</S>", "<UNK>", "\ufeffrain"]
    path = _write(tmp_path, words)
    assert _words(BilmVocabulary.from_vocabulary_file(path)) == words


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    """The error names the line."""
    (tmp_path / "words.txt").write_bytes(b"<S>\n</S>\n\xff\n")
    with pytest.raises(ConfigurationError, match=r"words\.txt.*line 3 "):
        BilmVocabulary.from_vocabulary_file(str(tmp_path / "words.txt"))
