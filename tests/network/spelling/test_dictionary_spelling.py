"""Words as the ids of a dictionary."""

from typing import List

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from hypothesis import given, settings
from hypothesis import strategies as st

from allennlp_elmo_plugin.network.spelling import Dictionary, DictionarySpelling
from tests.support.many_langs_files import CHARACTERS, WORDS

PROPERTY = settings(max_examples=60, deadline=None, derandomize=True, database=None)
WIDTH = 12
SPELLING = DictionarySpelling(Dictionary("\n".join(WORDS), "\n".join(CHARACTERS)), WIDTH)

TEXTS = st.one_of(st.sampled_from([*WORDS, *CHARACTERS]), st.text(), st.text("thera\u96e8\u0416"))


def _expected(word: str) -> List[int]:
    """Spells a word by the rules of ELMoForManyLangs, each id raised by one."""
    cut = word[: WIDTH - 2] if len(word) + 2 > WIDTH else word
    row = [CHARACTERS.index("<pad>")] * WIDTH
    row[0] = CHARACTERS.index("<eow>")
    inner = [cut] if cut in ("<bos>", "<eos>") else list(cut)
    for position, symbol in enumerate(inner, 1):
        row[position] = CHARACTERS.index(symbol if symbol in CHARACTERS else "<oov>")
    row[len(inner) + 1] = CHARACTERS.index("<bow>")
    return [number + 1 for number in [WORDS.index(cut) if cut in WORDS else 0, *row]]


@PROPERTY
@given(TEXTS)
def test_a_word_is_spelled_as_elmoformanylangs_spells_it(word: str) -> None:
    """The word is cut and looked up, and the names of its two edges are swapped."""
    assert SPELLING.spell(word) == _expected(word)


def test_boundaries_are_words_of_the_dictionary() -> None:
    """The sentence boundaries have ids of their own among the words and the characters."""
    assert SPELLING.boundaries == (_expected("<bos>"), _expected("<eos>"))


@PROPERTY
@given(st.lists(st.lists(TEXTS, max_size=3), max_size=3))
def test_sentences_are_spelled_and_padded(sentences: List[List[str]]) -> None:
    """Sentences become a padded batch of their words' ids, with zeros where there is no token."""
    ids = SPELLING.spell_sentences(sentences)
    longest = max(map(len, sentences), default=0)
    expected = [
        [*map(_expected, sentence), *[[0] * (WIDTH + 1)] * (longest - len(sentence))]
        for sentence in sentences
    ]
    shape = (len(sentences), longest, WIDTH + 1)
    assert torch.equal(ids, torch.tensor(expected).long().view(shape))


def test_the_columns_name_their_largest_ids() -> None:
    """One column has the ids of words, the others those of characters."""
    assert [tuple(columns[1:]) for columns in SPELLING.columns] == [
        (1, len(WORDS)),
        (WIDTH, len(CHARACTERS)),
    ]
    assert SPELLING.width == WIDTH + 1 and SPELLING.largest_id == len(CHARACTERS)


def test_a_token_that_is_no_text_is_refused() -> None:
    """A missing value among the tokens is named."""
    with pytest.raises(ConfigurationError, match="found None of type NoneType"):
        SPELLING.spell_sentences([["rain", None]])  # type: ignore[list-item]
