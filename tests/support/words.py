"""Words of every kind that a tokenizer can produce, and batches of them."""

from typing import Dict, List, Sequence

import numpy

__all__ = ["TOKENS_TO_ADD", "WORDS", "WORD_LIST", "random_batches"]

WORDS: Dict[str, str] = {
    "plain": "house",
    "one letter": "a",
    "capitals and digits": "B-52s",
    "empty": "",
    "space": " ",
    "null character": "\x00",
    "48 bytes": "abcdefgh" * 6,
    "49 bytes": "abcdefgh" * 6 + "i",
    "very long": "https://example.org/" + "path/" * 30,
    "accents": "na\u00efve",
    "cut between characters": "\u00e9" * 30,
    "cut inside a character": "x" + "\u00e9" * 30,
    "chinese": "\u6c49\u5b57",
    "long japanese": "\u65e5\u672c\u8a9e" * 8,
    "korean, cut inside a character": "ab" + "\ud55c\uad6d" * 10,
    "emoji": "\U0001f600",
    "emoji family": "\U0001f468\u200d\U0001f469\u200d\U0001f467" * 4,
    "lone high surrogate": "\ud83d",
    "lone low surrogate inside": "a\udc00b",
    "byte order mark": "\ufeff",
    "combining marks": "e\u0301\u0323",
    "sentence begin": "<S>",
    "sentence end": "</S>",
    "unknown token": "@@UNKNOWN@@",
    "padding token": "@@PADDING@@",
    "special token": "[MASK]",
    "other special token": "[SEP]",
}
WORD_LIST: List[str] = list(WORDS.values())

TOKENS_TO_ADD: Dict[str, int] = {"[MASK]": 3, "[SEP]": 255}


def random_batches(
    seed: int, lengths: Sequence[Sequence[int]], words: Sequence[str] = WORD_LIST
) -> List[List[List[str]]]:
    """
    Returns a batch of random sentences for each list of sentence lengths.

    Words are drawn with replacement.
    """
    random = numpy.random.RandomState(seed)
    return [
        [[words[random.randint(len(words))] for _ in range(length)] for length in batch]
        for batch in lengths
    ]
