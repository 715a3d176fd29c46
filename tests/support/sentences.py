"""
Sentences as tensors, spelled by the oracle's code and not by the package's.

A sentence is a text, which is split at its spaces, or a list of tokens. A list may hold tokens that
a text cannot: empty ones and ones with spaces.
"""

from typing import List, Sequence, Union

import numpy
import torch

from tests.support.oracle import character_ids

__all__ = ["Sentence", "spell", "spell_words", "word_ids"]

Sentence = Union[str, Sequence[str]]


def spell(*sentences: Sentence, width: int = 50) -> torch.Tensor:
    """
    Returns the character ids of a batch of sentences.

    # Parameters

    sentences : `Union[str, Sequence[str]]`
        Sentences of the batch; an empty one is a row of padding.
    width : `int`, optional (default = `50`)
        Number of character ids per token.

    # Returns

    `torch.Tensor`
        Shape (batch, timesteps, width), int64: ids in [1, 261], and 0 where a row has no token.
        `timesteps` is the number of tokens of the longest sentence.
    """
    tokens = [_tokens(sentence) for sentence in sentences]
    ids = torch.zeros(len(tokens), max(map(len, tokens), default=0), width, dtype=torch.int64)
    for row, words in enumerate(tokens):
        ids[row, : len(words)] = spell_words(words, width)
    return ids


def spell_words(words: Sequence[str], width: int = 50) -> torch.Tensor:
    """
    Returns the character ids of words without sentences.

    # Parameters

    words : `Sequence[str]`
        Words to spell.
    width : `int`, optional (default = `50`)
        Number of character ids per word.

    # Returns

    `torch.Tensor`
        Shape (words, width), int64: ids in [1, 261].
    """
    ids = [character_ids(word, width) for word in words]
    return torch.from_numpy(numpy.array(ids, dtype="int64").reshape(len(words), width) + 1)


def word_ids(words: Sequence[str], *sentences: Sentence) -> torch.Tensor:
    """
    Returns the word ids of a batch of sentences.

    # Parameters

    words : `Sequence[str]`
        Words of a namespace: the padding token, the unknown word, then all others.
    sentences : `Union[str, Sequence[str]]`
        Sentences of the batch.

    # Returns

    `torch.Tensor`
        Shape (batch, timesteps), int64: each token's position in `words`, 1 for a token that is not
        in it, and 0 where a row has no token.
    """
    positions = {word: position for position, word in enumerate(words)}
    tokens = [_tokens(sentence) for sentence in sentences]
    ids = torch.zeros(len(tokens), max(map(len, tokens), default=0), dtype=torch.int64)
    for row, sentence in enumerate(tokens):
        for column, token in enumerate(sentence):
            ids[row, column] = positions.get(token, 1)
    return ids


def _tokens(sentence: Sentence) -> List[str]:
    return sentence.split() if isinstance(sentence, str) else list(sentence)
