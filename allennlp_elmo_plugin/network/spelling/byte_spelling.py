"""
The spelling by bytes.

A word is spelled as the bytes of its UTF-8 text between two edge markers, padded to a fixed width,
as in bilm-tf's `UnicodeCharsVocabulary` (Peters et al., 2018). Every id is raised by one, so 0 is
free to mean "no token here".
"""

from dataclasses import dataclass
from typing import FrozenSet, List, Mapping, Optional, Sequence, Tuple

import torch
from overrides import overrides

from allennlp_elmo_plugin.network.spelling.base import IdColumns, Spelling, require_text

__all__ = [
    "BEGIN_OF_SENTENCE_TOKEN",
    "END_OF_SENTENCE_TOKEN",
    "MAX_CHARACTERS_PER_TOKEN",
    "MIN_CHARACTERS_PER_TOKEN",
    "NUM_CHARACTERS",
    "PADDING",
    "SENTENCE_BOUNDARIES",
    "ByteSpelling",
    "spell_sentences",
    "spell_word",
]

MAX_CHARACTERS_PER_TOKEN = 50
"""The width that published ELMo models use; the options of a biLM may name another."""

MIN_CHARACTERS_PER_TOKEN = 3
"""One byte and its two edges: the spelling of a sentence boundary."""

NUM_CHARACTERS = 261
"""256 bytes and the five markers below: rows of the character embedding without the row for 0."""

BEGIN_OF_SENTENCE = 256
END_OF_SENTENCE = 257
BEGIN_OF_WORD = 258
END_OF_WORD = 259
PADDING = 260

BEGIN_OF_SENTENCE_TOKEN = "<S>"
END_OF_SENTENCE_TOKEN = "</S>"

SENTENCE_BOUNDARIES: Mapping[str, int] = {
    BEGIN_OF_SENTENCE_TOKEN: BEGIN_OF_SENTENCE,
    END_OF_SENTENCE_TOKEN: END_OF_SENTENCE,
}


def spell_word(
    word: str,
    width: int = MAX_CHARACTERS_PER_TOKEN,
    tokens_to_add: Optional[Mapping[str, int]] = None,
) -> List[int]:
    """
    Spells a word as character ids.

    # Parameters

    word : `str`
        Any text, the empty one included. Bytes of its UTF-8 form beyond `width - 2` are cut, even
        inside a character, as in bilm-tf. Lone surrogates have no such form and are dropped. `<S>`
        and `</S>` become the sentence boundary words.
    width : `int`, optional (default = `50`)
        The number of ids, at least 3: the `max_characters_per_token` of the biLM's options.
    tokens_to_add : `Mapping[str, int]`, optional (default = `None`)
        Words that are spelled by one symbol of their own, given before it is raised by one.

    # Returns

    `List[int]`
        `width` ids between 1 and 261 (larger ones only if `tokens_to_add` has them).

    # Raises

    `ConfigurationError`
        When the word is not a text.
    """
    require_text(word)
    if tokens_to_add and word in tokens_to_add:
        return _between_edges([tokens_to_add[word]], width)
    if word in SENTENCE_BOUNDARIES:
        return _between_edges([SENTENCE_BOUNDARIES[word]], width)
    return _between_edges(list(word.encode("utf-8", "ignore")[: width - 2]), width)


@dataclass(frozen=True)
class ByteSpelling(Spelling):
    """
    The spelling by bytes, which biLMs of bilm-tf read.

    # Parameters

    max_characters : `int`, optional (default = `50`)
        The number of ids of a word, at least 3: the `max_characters_per_token` of the biLM's
        options.
    tokens_to_add : `FrozenSet[Tuple[str, int]]`, optional (default = `frozenset()`)
        Words that are spelled by one symbol of their own, each with its symbol.
    """

    max_characters: int = MAX_CHARACTERS_PER_TOKEN
    tokens_to_add: FrozenSet[Tuple[str, int]] = frozenset()

    @property
    @overrides
    def columns(self) -> Tuple[IdColumns, ...]:
        return (IdColumns("character ids", self.max_characters, NUM_CHARACTERS),)

    @property
    @overrides
    def padding(self) -> int:
        return PADDING + 1

    @property
    @overrides
    def indexer_advice(self) -> str:
        return (
            "Give the 'elmo_characters' indexer 'max_characters_per_token': "
            f"{self.max_characters}, as in the options of this biLM, and no entry over 260 in "
            "'tokens_to_add'."
        )

    @property
    @overrides
    def boundaries(self) -> Tuple[List[int], List[int]]:
        begin, end = (spell_word(word, self.max_characters) for word in SENTENCE_BOUNDARIES)
        return begin, end

    @overrides
    def spell(self, word: str) -> List[int]:
        return spell_word(word, self.max_characters, dict(self.tokens_to_add))


def spell_sentences(
    sentences: Sequence[Sequence[str]], width: int = MAX_CHARACTERS_PER_TOKEN
) -> torch.Tensor:
    """
    Spells a batch of tokenized sentences.

    # Parameters

    sentences : `Sequence[Sequence[str]]`
        The tokens of each sentence. Sentences may be empty.
    width : `int`, optional (default = `50`)
        The number of ids of a token: the `max_characters_per_token` of the biLM's options.

    # Returns

    `torch.Tensor`
        Shape (batch, timesteps, width), int64, 0 = no token: the input of an `ElmoTokenEmbedder`.
        Timesteps are the tokens of the longest sentence. The tensor is a copy, so you may write to
        it.

    # Raises

    `ConfigurationError`
        When a token is not a text.
    """
    return ByteSpelling(width).spell_sentences(sentences)


def _between_edges(symbols: List[int], width: int) -> List[int]:
    ids = [BEGIN_OF_WORD + 1, *(symbol + 1 for symbol in symbols), END_OF_WORD + 1]
    return ids + [PADDING + 1] * (width - len(ids))
