"""
The sentences that are embedded: a file's, or made up to be distributed much like written English.
"""

import os
import random
from itertools import accumulate, cycle, islice
from math import log
from typing import Iterable, Iterator, List, Set, Union

import conllu

__all__ = ["Sentence", "document", "in_batches", "made_up_sentences", "read_sentences"]

Sentence = List[str]

MEDIAN_LENGTH = 12
LONGEST = 60
# The standard deviation of the logarithm of the length: a mean of about 16 tokens.
SPREAD = 0.75
VOCABULARY_SIZE = 10_000
# Zipf's law with Mandelbrot's correction: the word of rank r has the weight 1 / (r + SHIFT).
SHIFT = 1.0
ONSETS = ["", "b", "bl", "c", "ch", "d", "f", "g", "gr", "h", "k", "l", "m", "n", "p", "pr", "r"]
ONSETS += ["s", "sh", "st", "t", "th", "tr", "v", "w"]
VOWELS = ["a", "e", "i", "o", "u", "ai", "ea", "ee", "ou"]
CODAS = [""] * 12 + ["ck", "d", "l", "m", "n", "nd", "ng", "r", "s", "st", "t"]


def made_up_sentences(number: int = 2000, seed: int = 13) -> List[Sentence]:
    """
    Makes sentences up, with the lengths and the repetitions of newswire or web English: lengths
    are log-normal with a median of 12 tokens, cut at 60; words are invented, their frequencies
    follow Zipf's law, and frequent ones are shorter.

    # Parameters

    number : `int`, optional (default = `2000`)
        How many.
    seed : `int`, optional (default = `13`)
        The same seed gives the same sentences.

    # Returns

    `List[Sentence]`
        None is empty. Those of more than 3 tokens end in a full stop.
    """
    source = random.Random(seed)
    words = _made_up_words(source)
    weights = list(accumulate(1 / (rank + SHIFT) for rank in range(1, len(words) + 1)))
    sentences = []
    for _ in range(number):
        drawn = round(source.lognormvariate(log(MEDIAN_LENGTH), SPREAD))
        length = min(max(drawn, 1), LONGEST)
        sentence = source.choices(words, cum_weights=weights, k=length)
        if length > 3:
            sentence[-1] = "."
        sentences.append(sentence)
    return sentences


def read_sentences(path: Union[str, "os.PathLike[str]"]) -> List[Sentence]:
    """
    Reads sentences from a file.

    # Parameters

    path : `Union[str, PathLike]`
        A `.conllu` file, of which the word forms are taken, or any other text file in UTF-8 with
        one sentence a line, its tokens between spaces.

    # Returns

    `List[Sentence]`
        In the file's order, without empty ones.

    # Raises

    `ValueError`
        When there is no sentence in it.
    """
    with open(path, encoding="utf-8") as file:
        if str(path).endswith(".conllu"):
            # Ranges (1-2) and empty nodes (1.1) have tuples for ids, and are no words.
            sentences = [
                [token["form"] for token in parsed if isinstance(token["id"], int)]
                for parsed in conllu.parse_incr(file)
            ]
        else:
            sentences = [line.split() for line in file]
    sentences = [sentence for sentence in sentences if sentence]
    if not sentences:
        raise ValueError(f"no sentence in '{path}'")
    return sentences


def in_batches(sentences: Iterable[Sentence], batch_size: int, number: int) -> List[List[Sentence]]:
    """
    # Parameters

    sentences : `Iterable[Sentence]`
        They are taken in their order, and from the first again where they do not suffice.
    batch_size : `int`
        The sentences of a batch.
    number : `int`
        How many batches.

    # Returns

    `List[List[Sentence]]`
    """
    stream = cycle(sentences)
    return [list(islice(stream, batch_size)) for _ in range(number)]


def document(sentences: Iterable[Sentence], length: int) -> Sentence:
    """
    # Parameters

    sentences : `Iterable[Sentence]`
        They are joined in their order, and from the first again where they do not suffice.
    length : `int`
        The number of tokens.

    # Returns

    `Sentence`
    """
    return list(islice((word for sentence in cycle(sentences) for word in sentence), length))


def _made_up_words(source: random.Random) -> List[str]:
    """Distinct words, the most frequent first."""
    words = [",", "-", '"']
    known: Set[str] = set(words)
    for word in _candidates(source, known):
        known.add(word)
        words.append(word)
        if len(words) == VOCABULARY_SIZE:
            return words
    raise AssertionError("candidates do not end")


def _candidates(source: random.Random, known: Set[str]) -> Iterator[str]:
    while True:
        # Words of 2 syllables at most to begin with, and of 3 where 10,000 words are known.
        syllables = range(max(1, round(source.uniform(0.5, 0.5 + len(known) ** 0.12))))
        word = "".join(
            source.choice(ONSETS) + source.choice(VOWELS) + source.choice(CODAS) for _ in syllables
        )
        if word not in known:
            yield word
