"""A warm-up text from the input."""

from typing import List

import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.extraction.sentence import Sentence
from allennlp_elmo_plugin.extraction.warm_up import first_sentences


def _sentence(*tokens: str) -> Sentence:
    return Sentence(list(tokens), "key", "text")


def test_the_first_sentences_with_tokens_are_taken() -> None:
    """At most 32, and of each at most 512 tokens; the rest is not read."""
    read: List[int] = []

    def sentences():  # type: ignore[no-untyped-def]
        for number in range(100):
            read.append(number)
            yield _sentence(*([f"w{number}"] * 600 if number == 1 else [] if number == 2 else "ab"))

    texts = first_sentences(sentences())
    assert texts == ["a b", " ".join(["w1"] * 512), *["a b"] * 30]
    assert read == list(range(33))


def test_few_sentences_are_enough() -> None:
    """A short input gives what it has."""
    assert first_sentences([_sentence(), _sentence("a")]) == ["a"]


def test_an_input_without_tokens_cannot_warm_up() -> None:
    """The error says what is missing."""
    with pytest.raises(ConfigurationError, match="a sentence with tokens to warm up"):
        first_sentences([_sentence()])
