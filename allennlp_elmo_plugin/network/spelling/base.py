"""
The base class of spellings, and the cache of spelled words.
"""

from abc import ABC, abstractmethod
from functools import lru_cache
from struct import Struct
from typing import Any, Dict, List, Mapping, NamedTuple, Sequence, Tuple

import numpy
import torch
from allennlp.common.checks import ConfigurationError

__all__ = ["IdColumns", "SpelledWord", "Spelling", "cached_spellings", "require_text"]

# 1 kB each at the usual width; most corpora have fewer words.
CACHED_SPELLINGS = 1 << 16

INT64_BYTES = 8


class SpelledWord(NamedTuple):
    """
    A word as it is cached.

    # Parameters

    ids : `List[int]`
        Its ids. Sentences share this list, so it must never change.
    encoded : `bytes`
        The same ids as int64, in the byte order of the machine.
    """

    ids: List[int]
    encoded: bytes


class IdColumns(NamedTuple):
    """
    Neighbouring columns of a spelled word with ids of one kind.

    # Parameters

    contents : `str`
        Name of the ids in errors, such as `"character ids"`.
    number : `int`
        The number of columns.
    largest : `int`
        The largest id.
    """

    contents: str
    number: int
    largest: int


class Spelling(ABC):
    """
    A way to spell words as rows of ids, which a biLM reads.

    Every id is raised by one, so 0 is free to mean "no token here". Spellings are compared by their
    values and can be keys of a dictionary.
    """

    @property
    @abstractmethod
    def columns(self) -> Tuple[IdColumns, ...]:
        """The columns of a row, from the first to the last."""

    @property
    @abstractmethod
    def padding(self) -> int:
        """The character id behind the end of a word."""

    @property
    @abstractmethod
    def indexer_advice(self) -> str:
        """A sentence that says how the indexer `elmo_characters` is told to spell in this way."""

    @property
    @abstractmethod
    def boundaries(self) -> Tuple[List[int], List[int]]:
        """The spellings of the two sentence boundaries, begin and end."""

    @abstractmethod
    def spell(self, word: str) -> List[int]:
        """
        Spells a word.

        # Parameters

        word : `str`
            Any text, the empty one included.

        # Returns

        `List[int]`
            `width` ids, none of them 0.

        # Raises

        `ConfigurationError`
            When the word is not a text.
        """

    @property
    def width(self) -> int:
        """The number of ids of a word."""
        return sum(columns.number for columns in self.columns)

    @property
    def largest_id(self) -> int:
        """The largest id of a word."""
        return max(columns.largest for columns in self.columns)

    def spell_sentences(self, sentences: Sequence[Sequence[str]]) -> torch.Tensor:
        """
        Spells a batch of tokenized sentences.

        # Parameters

        sentences : `Sequence[Sequence[str]]`
            The tokens of each sentence. Sentences may be empty.

        # Returns

        `torch.Tensor`
            Shape (batch, timesteps, width), int64, 0 = no token. Timesteps are the tokens of the
            longest sentence. The tensor is a copy, so you may write to it.

        # Raises

        `ConfigurationError`
            When a token is not a text.
        """
        spellings, width = cached_spellings(self), self.width
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


def require_text(word: Any) -> None:
    """
    Refuses a word that is no text.

    # Parameters

    word : `Any`
        The word.

    # Raises

    `ConfigurationError`
        When it is not a text.
    """
    if not isinstance(word, str):
        raise ConfigurationError(
            f"Expected each token to be a text, found {word!r} of type {type(word).__name__}. "
            "Convert it with str, or remove it if it stands for a missing value."
        )


class _Spellings(Dict[str, SpelledWord]):
    """
    A cache of spelled words.

    # Parameters

    spelling : `Spelling`
        The spelling of words that are not in the cache yet.
    """

    def __init__(self, spelling: Spelling) -> None:
        super().__init__()
        self._spell = spelling.spell
        self._encode = Struct(f"{spelling.width}q").pack

    def __missing__(self, text: str) -> SpelledWord:
        # Frequent words are soon back, and a hit costs less than with any order of eviction.
        if len(self) >= CACHED_SPELLINGS:
            self.clear()
        ids = self._spell(text)
        word = self[text] = SpelledWord(ids, self._encode(*ids))
        return word


# A cache in the indexer would be compared, copied and pickled with it.
@lru_cache(maxsize=8)
def cached_spellings(spelling: Spelling) -> Mapping[str, SpelledWord]:
    """
    Returns the spellings of all words, each of which is spelled when it is first looked up.

    All callers share them. At most `CACHED_SPELLINGS` are kept.

    # Parameters

    spelling : `Spelling`
        The way to spell words.

    # Returns

    `Mapping[str, SpelledWord]`
        From any word to its spelling.
    """
    return _Spellings(spelling)
