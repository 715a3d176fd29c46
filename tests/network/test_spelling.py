"""Words and sentences as character ids."""

from typing import Dict, List

import pytest
import torch
from allennlp.data.token_indexers.elmo_indexer import ELMoCharacterMapper

from allennlp_elmo_plugin.network.spelling import spell_sentences, spell_word
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
