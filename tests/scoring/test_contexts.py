"""Windows of limited context."""

from typing import List

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allennlp_elmo_plugin.scoring.contexts import center_of_window, context_windows


def test_each_token_stands_in_a_window_of_its_own() -> None:
    """Two tokens on each side, fewer at the ends; then the windows of both boundaries."""
    windows = context_windows("abcde", 2)
    assert ["".join(window.tokens) for window in windows] == [
        *("abc", "abcd", "abcde", "bcde", "cde"),
        *("de", "ab"),
    ]
    assert [window.center for window in windows] == [0, 1, 2, 2, 2, 2, -1]


@given(st.lists(st.sampled_from("xyz"), max_size=6), st.integers(0, 7))
def test_the_center_is_the_token(tokens: List[str], context: int) -> None:
    """Every window has its token at its center, and at most the context on each side."""
    windows = context_windows(tokens, context)
    for window, token in zip(windows[:-2], tokens):
        assert window.tokens[window.center] == token
        assert window.center <= context and len(window.tokens) - window.center - 1 <= context


@pytest.mark.parametrize("length", [0, 1, 4])
def test_scores_are_put_together(length: int) -> None:
    """A token has the scores of its center, a boundary those of its direction's last window."""
    windows = context_windows(["a"] * length, 1)
    scores = []
    for number, window in enumerate(windows):
        each = numpy.full((2, len(window.tokens) + 1, 2), -1.0)
        each[0, window.center], each[1, window.center] = number, 100 + number
        scores.append(each)
    # The boundary of the backward direction is the last prediction of the last window.
    found = center_of_window(windows, scores)
    assert found.shape == (2, length + 1, 2)
    assert found[0, :, 0].tolist() == list(range(length + 1))
    assert found[1, :, 0].tolist() == [*range(100, 100 + length), 100 + length + 1]
