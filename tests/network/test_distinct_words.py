"""The distinct words of a batch."""

from typing import List, Tuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from allennlp_elmo_plugin.network.distinct_words import distinct_words
from tests.support.sentences import spell_words
from tests.support.words import WORD_LIST

PROPERTY = settings(max_examples=60, deadline=None, derandomize=True, database=None)
FACTORS = "allennlp_elmo_plugin.network.distinct_words._factors"
TOKENS = st.lists(st.sampled_from(WORD_LIST) | st.text(max_size=4), max_size=12)
WITH_IDS = st.lists(st.tuples(st.sampled_from(["cat", "sat", ""]), st.integers(-2, 3)), max_size=12)


def _check(tokens: List[str]) -> None:
    """Fails unless the distinct words of tokens are those of a set."""
    ids = spell_words(tokens)
    words = distinct_words(ids)
    assert words.word_ids is None
    assert torch.equal(words.character_ids[words.word_of_token], ids)
    rows = [tuple(row) for row in words.character_ids.tolist()]
    assert len(rows) == len(set(rows)) and set(rows) == {tuple(row) for row in ids.tolist()}


@PROPERTY
@given(tokens=TOKENS)
def test_each_word_is_found_once(tokens: List[str]) -> None:
    """The index gives each token's characters back, and no word is there twice."""
    _check(tokens)


@PROPERTY
@given(tokens=WITH_IDS)
def test_tokens_of_different_ids_are_different_words(tokens: List[Tuple[str, int]]) -> None:
    """A word is a pair of characters and word id."""
    ids = spell_words([word for word, _ in tokens])
    word_ids = torch.tensor([word_id for _, word_id in tokens], dtype=torch.long)
    words = distinct_words(ids, word_ids)
    assert words.word_ids is not None
    assert torch.equal(words.character_ids[words.word_of_token], ids)
    assert torch.equal(words.word_ids[words.word_of_token], word_ids)
    assert len(words.word_ids) == len(words.character_ids) == len(set(tokens))


@PROPERTY
@given(tokens=TOKENS, data=st.data())
def test_the_order_of_words_depends_on_them_alone(tokens: List[str], data: st.DataObject) -> None:
    """Tokens in another order, and more often, give the same words in the same order."""
    other = data.draw(st.permutations(tokens + tokens[:3]))
    expected = distinct_words(spell_words(tokens)).character_ids
    assert torch.equal(distinct_words(spell_words(other)).character_ids, expected)


@pytest.mark.parametrize("factor", [0, 1])
def test_words_of_the_same_hash_are_told_apart(
    monkeypatch: pytest.MonkeyPatch, factor: int
) -> None:
    """Words stay distinct if all of them, or all anagrams, have the same hash."""
    monkeypatch.setattr(FACTORS, lambda size: torch.full((size,), factor))
    _check(["listen", "silent", "cat", "listen", "act", "", "tinsel", "silent"])
    ids = spell_words(["cat", "act", "cat"])
    words = distinct_words(ids, torch.tensor([2, 3, 4]))
    assert len(words.character_ids) == 3
    assert torch.equal(words.character_ids[words.word_of_token], ids)


def test_no_tokens_have_no_words() -> None:
    """An empty batch has no words, and keeps its width."""
    words = distinct_words(torch.zeros(0, 50, dtype=torch.long), torch.zeros(0, dtype=torch.long))
    assert words.character_ids.shape == (0, 50)
    assert words.word_ids is not None and words.word_ids.shape == words.word_of_token.shape == (0,)
