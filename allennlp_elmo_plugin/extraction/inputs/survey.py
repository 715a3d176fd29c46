"""
Counting the sentences of an input before anything is computed.
"""

import json
from hashlib import blake2b
from typing import NamedTuple

from allennlp_elmo_plugin.extraction.sentence import Sentence

__all__ = ["Survey", "SurveyCounts"]


class Survey(NamedTuple):
    """
    Sizes of an input and a digest of its content.

    # Parameters

    num_sentences : `int`
        The number of sentences.
    num_tokens : `int`
        The number of tokens of all sentences.
    longest : `int`
        The number of tokens of the longest sentence.
    digest : `str`
        Digest of the keys, tokens and texts, in hexadecimal. It depends neither on the compression
        of the file nor on what separates its tokens.
    """

    num_sentences: int
    num_tokens: int
    longest: int
    digest: str


class SurveyCounts:
    """
    Counts that grow sentence by sentence into a `Survey`.
    """

    def __init__(self) -> None:
        self._num_sentences = 0
        self._num_tokens = 0
        self._longest = 0
        self._digest = blake2b(digest_size=16)

    def add(self, sentence: Sentence) -> None:
        """
        Counts a sentence.

        # Parameters

        sentence : `Sentence`
            The next sentence.
        """
        num_tokens = len(sentence.tokens)
        self._num_sentences += 1
        self._num_tokens += num_tokens
        self._longest = max(self._longest, num_tokens)
        # JSON has one text for each list of strings, with escapes for everything beyond ASCII.
        self._digest.update(json.dumps(sentence).encode("ascii"))

    def result(self) -> Survey:
        """
        Returns the survey of the sentences so far.
        """
        return Survey(
            self._num_sentences, self._num_tokens, self._longest, self._digest.hexdigest()
        )
