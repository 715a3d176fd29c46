"""Choosing the most frequent words of a text and of its parts."""

from pathlib import Path
from typing import List
from unittest.mock import MagicMock

from hypothesis import given
from hypothesis import strategies as st

from allennlp_elmo_plugin.extraction.sentence import Sentence
from allennlp_elmo_plugin.extraction.word_counts import WordCounts
from allennlp_elmo_plugin.extraction.word_types import WordTypesTask

WORDS = st.sampled_from(["a", "b", "c", "\u96e8", "two words", "", "\u00a0", "e\n"])
SENTENCES = st.lists(st.lists(WORDS, max_size=6), max_size=12)


def _count(sentences: List[List[str]]) -> WordCounts:
    counts = WordCounts()
    for tokens in sentences:
        counts.update(tokens)
    return counts


@given(SENTENCES, st.integers(1, 9))
def test_the_most_frequent_words_come_first(sentences: List[List[str]], num_types: int) -> None:
    """Then the first ones of the text; words of white space or with some are left out."""
    tokens = [token for sentence in sentences for token in sentence]
    usable = {token for token in tokens if token in ("a", "b", "c", "\u96e8")}
    expected = sorted(usable, key=lambda word: (-tokens.count(word), tokens.index(word)))
    assert _count(sentences).most_frequent(num_types) == expected[:num_types]


@given(SENTENCES, st.lists(st.integers(0, 12)), st.integers(1, 9))
def test_counts_of_parts_add_up(
    sentences: List[List[str]], cuts: List[int], num_types: int
) -> None:
    """The choice is that of the whole text, wherever it is cut."""
    ends = [0, *sorted(cuts), len(sentences)]
    counts = WordCounts()
    for start, end in zip(ends, ends[1:]):
        counts.update(dict(_count(sentences[start:end])))
    assert counts == _count(sentences)
    assert counts.most_frequent(num_types) == _count(sentences).most_frequent(num_types)


@given(SENTENCES, st.integers(0, 12), st.integers(1, 9))
def test_parts_give_the_words_of_a_whole_task(
    sentences: List[List[str]], cut: int, num_types: int
) -> None:
    """The task that reads the whole text chooses the same words."""
    task = WordTypesTask(num_types, Path("types.vec"))
    for tokens in sentences:
        task.count(Sentence(tokens, "", ""))
    task.shape(len(sentences), 0, MagicMock())
    counts = _count(sentences[:cut])
    counts.update(_count(sentences[cut:]))
    assert counts.most_frequent(num_types) == task._words
