"""
Cutting a stream of sentences into windows, and a window into batches.

A window holds consecutive sentences. Its batches hold sentences of similar length, so few rows of a
batch end before the others. Windows depend on the sentences alone: work that goes on after a window
meets the same batches as work that was never interrupted.
"""

from typing import Any, Callable, Iterable, Iterator, List, Sequence, TypeVar

__all__ = ["BOUNDARIES", "batches_of_window", "windows"]

Sentence = TypeVar("Sentence")

BOUNDARIES = 2
"""The number of boundaries of a sentence."""


def windows(
    sentences: Iterable[Sentence], max_size: int, size_of: Callable[[Any], int]
) -> Iterator[List[Sentence]]:
    """
    Cuts a stream of sentences into windows.

    # Parameters

    sentences : `Iterable[Sentence]`
        The sentences, of any type.
    max_size : `int`
        Largest size of a window. A larger sentence is a window of its own.
    size_of : `Callable[[Sentence], int]`
        Returns the size of a sentence.

    # Returns

    `Iterator[List[Sentence]]`
        The windows, none of them empty.
    """
    window: List[Sentence] = []
    total = 0
    for sentence in sentences:
        size = size_of(sentence)
        if window and total + size > max_size:
            yield window
            window, total = [], 0
        window.append(sentence)
        total += size
    if window:
        yield window


def batches_of_window(lengths: Sequence[int], max_tokens: int) -> List[List[int]]:
    """
    Distributes the sentences of a window over batches, the longest sentences first.

    # Parameters

    lengths : `Sequence[int]`
        The number of tokens of each sentence, without boundaries.
    max_tokens : `int`
        Largest number of positions of a batch: rows times timesteps, boundaries included. A longer
        sentence is a batch of its own.

    # Returns

    `List[List[int]]`
        The positions of each batch's sentences in the window.
    """
    batches: List[List[int]] = []
    timesteps = 0
    for position in sorted(range(len(lengths)), key=lambda position: -lengths[position]):
        if not batches or (len(batches[-1]) + 1) * timesteps > max_tokens:
            batches.append([])
            timesteps = lengths[position] + BOUNDARIES
        batches[-1].append(position)
    return batches
