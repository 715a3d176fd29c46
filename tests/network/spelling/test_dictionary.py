"""The words and characters that have vectors."""

import copy
import pickle
from typing import Any, Dict

import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.network.spelling import Dictionary

CHARACTERS = ["a", "<oov>", "<pad>", "<bos>", "<eos>", "<bow>", "<eow>"]


def _dictionary(*words: str) -> Dictionary:
    return Dictionary("\n".join(["<oov>", *words]), "\n".join(CHARACTERS))


def test_the_number_of_a_line_is_an_id() -> None:
    """Ids count the lines from 1, since 0 means that there is no token."""
    dictionary = _dictionary("cat", "sat")
    assert dictionary.word_ids == {"<oov>": 1, "cat": 2, "sat": 3}
    assert dictionary.character_ids["<eow>"] == dictionary.num_characters == 7
    assert dictionary.num_words == 3


def test_an_empty_line_is_a_row_without_a_word() -> None:
    """A row that no word has is counted, and the empty word is not found in it."""
    dictionary = _dictionary("", "sat")
    assert dictionary.num_words == 3
    assert dictionary.word_ids == {"<oov>": 1, "sat": 3}


def test_the_last_of_two_equal_words_counts() -> None:
    """Of two lines with one word, the last one is its id."""
    assert _dictionary("cat", "sat", "cat").word_ids["cat"] == 4


def test_other_line_ends_are_parts_of_a_word() -> None:
    """Only a newline ends a line, whatever Python takes for a line end."""
    assert _dictionary("a\u2028b\r\x85").word_ids["a\u2028b\r\x85"] == 2


def test_ids_make_lines() -> None:
    """A dictionary is built from ids that begin with 0, with empty lines where some are missing."""
    characters = {entry: number for number, entry in enumerate(CHARACTERS)}
    dictionary = Dictionary.from_ids({"sat": 3, "<oov>": 0, "cat": 1}, characters)
    assert dictionary == _dictionary("cat", "", "sat")


@pytest.mark.parametrize(
    "texts, expected",
    [
        ({"words": "cat\nsat"}, "the words <oov>, but it lacks <oov>"),
        ({"characters": "<oov>\n<pad>\n<bos>\n<eos>"}, "it lacks <eow>, <bow>"),
        ({"words": ["<oov>"]}, "the words of a dictionary as a text, got list"),
    ],
    ids=["words", "characters", "list"],
)
def test_a_dictionary_of_another_kind_is_refused(texts: Dict[str, Any], expected: str) -> None:
    """The error names the entries that are missing."""
    with pytest.raises(ConfigurationError, match=expected):
        Dictionary(**{"words": "<oov>", "characters": "\n".join(CHARACTERS), **texts})


def test_copies_are_equal_and_are_keys() -> None:
    """Copies and pickles have the same entries and hash, and hold no second table."""
    dictionary = _dictionary("cat")
    assert dictionary.word_ids["cat"] == 2
    for twin in (copy.deepcopy(dictionary), pickle.loads(pickle.dumps(dictionary))):
        assert twin == dictionary and hash(twin) == hash(dictionary)
        assert "word_ids" not in vars(twin) and twin.word_ids == dictionary.word_ids


def test_another_dictionary_has_another_repr() -> None:
    """Digests of biLMs read the repr, which is short and differs between dictionaries."""
    reprs = {repr(_dictionary(*words)) for words in (["cat"], ["car"], ["cat", "sat"])}
    assert len(reprs) == 3 and max(map(len, reprs)) < 80
