"""
Sentences to embed: those of a file, or generated ones with the statistics of written English.
"""

import os
import random
from itertools import accumulate, cycle, islice
from math import log
from typing import Iterable, Iterator, List, Set, Union

import conllu

__all__ = ["Sentence", "document", "generate_sentences", "in_batches", "read_sentences"]

Sentence = List[str]

MEDIAN_LENGTH = 12
MAX_LENGTH = 60
# Standard deviation of the logarithm of the length, which gives a mean of about 16 tokens.
SPREAD = 0.75
VOCABULARY_SIZE = 10_000
# Zipf's law with Mandelbrot's correction gives the word of rank r the weight 1 / (r + SHIFT).
SHIFT = 1.0
ONSETS = ["", "b", "bl", "c", "ch", "d", "f", "g", "gr", "h", "k", "l", "m", "n", "p", "pr", "r"]
ONSETS += ["s", "sh", "st", "t", "th", "tr", "v", "w"]
VOWELS = ["a", "e", "i", "o", "u", "ai", "ea", "ee", "ou"]
CODAS = [""] * 12 + ["ck", "d", "l", "m", "n", "nd", "ng", "r", "s", "st", "t"]


def generate_sentences(number: int = 2000, seed: int = 13) -> List[Sentence]:
    """
    Generates sentences with the lengths and the repetitions of newswire or web English.

    Lengths are log-normal with a median of 12 tokens, cut at 60. Words consist of random syllables.
    Their frequencies follow Zipf's law, and frequent words are shorter.

    # Parameters

    number : `int`, optional (default = `2000`)
        Number of sentences.
    seed : `int`, optional (default = `13`)
        Seed of the random numbers. The same seed gives the same sentences.

    # Returns

    `List[Sentence]`
        Sentences of at least one token. Those of more than 3 tokens end in a full stop.
    """
    source = random.Random(seed)
    words = _generate_words(source)
    weights = list(accumulate(1 / (rank + SHIFT) for rank in range(1, len(words) + 1)))
    sentences = []
    for _ in range(number):
        drawn = round(source.lognormvariate(log(MEDIAN_LENGTH), SPREAD))
        length = min(max(drawn, 1), MAX_LENGTH)
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
        Path of a `.conllu` file, whose word forms are read, or of any other text file in UTF-8 with
        one sentence per line and spaces between tokens.

    # Returns

    `List[Sentence]`
        Sentences in the order of the file, without empty ones.

    # Raises

    `ValueError`
        If the file has no sentence.
    """
    with open(path, encoding="utf-8") as file:
        if str(path).endswith(".conllu"):
            # Ranges (1-2) and empty nodes (1.1) have tuples as ids, and are no words.
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
    Fills batches with sentences in their order.

    # Parameters

    sentences : `Iterable[Sentence]`
        Sentences to use, from the first again after the last.
    batch_size : `int`
        Number of sentences per batch.
    number : `int`
        Number of batches.

    # Returns

    `List[List[Sentence]]`
        Full batches.
    """
    stream = cycle(sentences)
    return [list(islice(stream, batch_size)) for _ in range(number)]


def document(sentences: Iterable[Sentence], length: int) -> Sentence:
    """
    Joins sentences into one long sentence.

    # Parameters

    sentences : `Iterable[Sentence]`
        Sentences to join in their order, from the first again after the last.
    length : `int`
        Number of tokens.

    # Returns

    `Sentence`
        Sentence of `length` tokens.
    """
    return list(islice((word for sentence in cycle(sentences) for word in sentence), length))


def _generate_words(source: random.Random) -> List[str]:
    """Returns distinct words; the most frequent word comes first."""
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
        # The first words have at most 2 syllables, and later ones, up to 10,000, at most 3.
        syllables = range(max(1, round(source.uniform(0.5, 0.5 + len(known) ** 0.12))))
        word = "".join(
            source.choice(ONSETS) + source.choice(VOWELS) + source.choice(CODAS) for _ in syllables
        )
        if word not in known:
            yield word
