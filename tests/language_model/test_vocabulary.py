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
