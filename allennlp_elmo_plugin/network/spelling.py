"""
The spelling of words for ELMo.

A word is spelled as the bytes of its UTF-8 text between two edge markers, padded to a fixed width,
as in bilm-tf's `UnicodeCharsVocabulary` (Peters et al., 2018). Every id is raised by one, so 0 is
free to mean "no token here".
"""

from functools import lru_cache
from struct import Struct
from typing import Dict, FrozenSet, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy
import torch
from allennlp.common.checks import ConfigurationError

__all__ = [
    "BEGIN_OF_SENTENCE_TOKEN",
    "END_OF_SENTENCE_TOKEN",
    "MAX_CHARACTERS_PER_TOKEN",
    "MIN_CHARACTERS_PER_TOKEN",
    "NUM_CHARACTERS",
    "SENTENCE_BOUNDARIES",
    "SpelledWord",
    "cached_spellings",
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

# 1 kB each at the usual width; most corpora have fewer words.
CACHED_SPELLINGS = 1 << 16

INT64_BYTES = 8


class SpelledWord(NamedTuple):
    """
    A word as it is cached.

    # Parameters

    ids : `List[int]`
        Its character ids. Sentences share this list, so it must never change.
    encoded : `bytes`
        The same ids as int64, in the byte order of the machine.
    """

    ids: List[int]
    encoded: bytes


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
    if not isinstance(word, str):
        raise ConfigurationError(
            f"Expected each token to be a text, found {word!r} of type {type(word).__name__}. "
            "Convert it with str, or remove it if it stands for a missing value."
        )
    if tokens_to_add and word in tokens_to_add:
        return _between_edges([tokens_to_add[word]], width)
    if word in SENTENCE_BOUNDARIES:
        return _between_edges([SENTENCE_BOUNDARIES[word]], width)
    return _between_edges(list(word.encode("utf-8", "ignore")[: width - 2]), width)


class _Spellings(Dict[str, SpelledWord]):
    """
    A cache of spelled words.

    # Parameters

    width : `int`
        The number of ids of a word.
    tokens_to_add : `Mapping[str, int]`
        Words that are spelled by one symbol of their own.
    """

    def __init__(self, width: int, tokens_to_add: Mapping[str, int]) -> None:
        super().__init__()
        self._width = width
        self._encode = Struct(f"{width}q").pack
        self._tokens_to_add = tokens_to_add

    def __missing__(self, text: str) -> SpelledWord:
        # Frequent words are soon back, and a hit costs less than with any order of eviction.
        if len(self) >= CACHED_SPELLINGS:
            self.clear()
        ids = spell_word(text, self._width, self._tokens_to_add)
        word = self[text] = SpelledWord(ids, self._encode(*ids))
        return word


# A cache in the indexer would be compared, copied and pickled with it.
@lru_cache(maxsize=8)
def cached_spellings(
    width: int, tokens_to_add: FrozenSet[Tuple[str, int]]
) -> Mapping[str, SpelledWord]:
    """
    Returns the spellings of all words, each of which is spelled when it is first looked up.

    All callers share them. At most `CACHED_SPELLINGS` are kept.

    # Parameters

    width : `int`
        The number of ids of a word.
    tokens_to_add : `FrozenSet[Tuple[str, int]]`
        Words that are spelled by one symbol of their own, each with its symbol.

    # Returns

    `Mapping[str, SpelledWord]`
        From any word to its spelling.
    """
    return _Spellings(width, dict(tokens_to_add))


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
    spellings = cached_spellings(width, frozenset())
    timesteps = max(map(len, sentences), default=0)
    no_token = bytes(width * INT64_BYTES)
    encoded: List[bytes] = []
    for sentence in sentences:
        encoded += [spellings[word].encoded for word in sentence]
        encoded += [no_token] * (timesteps - len(sentence))
    if not encoded:
        return torch.zeros(len(sentences), timesteps, width, dtype=torch.long)
    # Unlike bytes, a bytearray is memory that a tensor may write to.
    ids = numpy.frombuffer(bytearray().join(encoded), dtype=numpy.int64)
    return torch.from_numpy(ids).view(len(sentences), timesteps, width)


def _between_edges(symbols: List[int], width: int) -> List[int]:
    ids = [BEGIN_OF_WORD + 1, *(symbol + 1 for symbol in symbols), END_OF_WORD + 1]
    return ids + [PADDING + 1] * (width - len(ids))
