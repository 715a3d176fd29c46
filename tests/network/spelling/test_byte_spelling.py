"""Words and sentences as the ids of bytes."""

from typing import Any, Dict, List

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.data.token_indexers.elmo_indexer import ELMoCharacterMapper

from allennlp_elmo_plugin.network.spelling import (
    byte_spelling,
    cached_spellings,
    spell_sentences,
    spell_word,
)
from tests.support.sentences import spell
from tests.support.words import TOKENS_TO_ADD, WORD_LIST, WORDS


@pytest.mark.parametrize("tokens_to_add", [{}, TOKENS_TO_ADD], ids=["none", "two"])
@pytest.mark.parametrize("word", list(WORDS.values()), ids=list(WORDS))
def test_a_word_is_spelled_as_the_builtin_spells_it(
    word: str, tokens_to_add: Dict[str, int]
) -> None:
    """Words of every kind get the ids that AllenNLP's mapper gives."""
    expected = ELMoCharacterMapper(tokens_to_add).convert_word_to_char_ids(word)
    assert spell_word(word, tokens_to_add=tokens_to_add) == expected


def test_a_narrow_word_keeps_its_edges() -> None:
    """Of three ids, two are edges and one is the word's first byte."""
    assert spell_word("ab", width=3) == [259, ord("a") + 1, 260]


@pytest.mark.parametrize("width", [3, 20, 50])
@pytest.mark.parametrize("sentences", [[WORD_LIST, ["a"], []], [[], []], []], ids=len)
def test_sentences_are_spelled_and_padded(sentences: List[List[str]], width: int) -> None:
    """Sentences become a padded batch of their words' ids, with zeros where there is no token."""
    ids = spell_sentences(sentences, width)
    assert ids.dtype == torch.int64
    assert torch.equal(ids, spell(*sentences, width=width))


def test_a_distinct_word_is_spelled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Words that come again, in this batch or a later one, come from the cache."""
    spelled: List[str] = []

    def spell_and_count(word: str, *arguments: Any) -> List[int]:
        spelled.append(word)
        return spell_word(word, *arguments)

    cached_spellings.cache_clear()
    monkeypatch.setattr(byte_spelling, "spell_word", spell_and_count)
    for _ in range(2):
        spell_sentences([["the", "rain", "the"], [], ["rain"]])
    assert spelled == ["the", "rain"]


def test_a_batch_may_be_written_to() -> None:
    """A change of a batch changes no other batch of the same words."""
    first = spell_sentences([["rain"], []])
    first += 1
    assert torch.equal(spell_sentences([["rain"], []]), spell("rain", ""))


def test_a_text_in_place_of_tokens_is_spelled_character_by_character() -> None:
    """A sentence may be a text, whose characters are then its tokens, as proteins are passed."""
    assert torch.equal(spell_sentences(["MGS", "A"]), spell("M G S", "A"))


@pytest.mark.parametrize("token", [float("nan"), None, 3, b"rain"], ids=str)
def test_a_token_that_is_no_text_is_refused(token: Any) -> None:
    """A number or a missing value among the tokens is named, with its type."""
    with pytest.raises(ConfigurationError, match=f"found .*of type {type(token).__name__}"):
        spell_sentences([["rain", token]])
