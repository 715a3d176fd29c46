"""
Sentences cut into windows, in which each token has a context of limited length.
"""

from typing import List, NamedTuple, Sequence

import numpy

__all__ = ["ContextWindow", "center_of_window", "context_windows"]


class ContextWindow(NamedTuple):
    """
    A token of a sentence with the tokens around it.

    # Parameters

    tokens : `List[str]`
        The tokens of the window.
    center : `int`
        Position of the token in it.
    """

    tokens: List[str]
    center: int


def context_windows(tokens: Sequence[str], context: int) -> List[ContextWindow]:
    """
    Cuts a sentence into windows around each of its tokens, and around its boundaries.

    # Parameters

    tokens : `Sequence[str]`
        The tokens of the sentence.
    context : `int`
        The number of tokens on each side, at most.

    # Returns

    `List[ContextWindow]`
        A window for each token; then the tokens before the boundary at the end, with the center
        behind them; and those after the boundary at the beginning, with the center -1.
    """
    windows = [
        ContextWindow(list(tokens[max(0, i - context) : i + context + 1]), min(i, context))
        for i in range(len(tokens))
    ]
    last = list(tokens[max(0, len(tokens) - context) :])
    first = list(tokens[:context])
    return [*windows, ContextWindow(last, len(last)), ContextWindow(first, -1)]


def center_of_window(
    windows: Sequence[ContextWindow], scores: Sequence[numpy.ndarray]
) -> numpy.ndarray:
    """
    Puts the scores of a sentence together from those of its windows.

    # Parameters

    windows : `Sequence[ContextWindow]`
        The windows of the sentence.
    scores : `Sequence[numpy.ndarray]`
        The scores of each, of shape (2, tokens + 1, 2).

    # Returns

    `numpy.ndarray`
        Shape (2, tokens + 1, 2): the scores of each center, then those of the boundaries.
    """
    tokens = [found[:, window.center] for window, found in zip(windows[:-2], scores)]
    # The last prediction of each direction is its boundary.
    boundary = numpy.stack([scores[-2][0, -1], scores[-1][1, -1]])
    return numpy.stack([*tokens, boundary], axis=1)
