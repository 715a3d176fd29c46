"""The text that a page shows."""

from typing import List

import numpy
import pytest
from allennlp.common.checks import ConfigurationError
from hypothesis import given
from hypothesis import strategies as st

from allennlp_elmo_plugin.look.text import ShownText, first_sentences_of


def test_whole_sentences_are_shown() -> None:
    """The first sentences that fit are shown, empty ones are not, and the others are counted."""
    sentences = [["a", "b"], [], ["c"], ["d", "e"], ["f"], []]
    assert first_sentences_of(sentences, 4) == ([["a", "b"], ["c"]], 2)
    assert first_sentences_of(sentences, 6) == ([["a", "b"], ["c"], ["d", "e"], ["f"]], 0)


def test_a_first_sentence_that_is_too_long_is_an_error() -> None:
    """The error has both numbers."""
    with pytest.raises(ConfigurationError, match="at most 2 tokens, got one with 3"):
        first_sentences_of([["a", "b", "c"]], 2)


@pytest.mark.parametrize("sentences", [[], [[]]])
def test_a_text_without_sentences_is_an_error(sentences: List[List[str]]) -> None:
    """A page of nothing is not written."""
    with pytest.raises(ConfigurationError, match="has none"):
        first_sentences_of(sentences, 2)


def test_every_period_has_a_name() -> None:
    """The error has the names."""
    with pytest.raises(ConfigurationError, match="got 2 for 1: A, B"):
        ShownText([[["a"]]], ["A", "B"])


PERIOD = st.lists(st.lists(st.sampled_from("abcd"), min_size=1, max_size=4), min_size=1, max_size=4)


@given(st.lists(PERIOD, min_size=1, max_size=2))
def test_numbers_lead_to_the_text(periods: List[List[List[str]]]) -> None:
    """Sentences, periods, words and occurrences can be rebuilt from their numbers."""
    text = ShownText(periods, ["A", "B"][: len(periods)])
    starts = text.sentence_starts()
    sentences = [text.tokens[start:end] for start, end in zip(starts, starts[1:])]
    bounds = text.period_starts()
    assert [sentences[start:end] for start, end in zip(bounds, bounds[1:])] == periods
    assert [text.words[number] for number in text.word_ids] == text.tokens
    assert text.words == list(dict.fromkeys(text.tokens))
    for word, where in zip(text.words, text.occurrences()):
        assert numpy.array_equal(where, [n for n, token in enumerate(text.tokens) if token == word])
