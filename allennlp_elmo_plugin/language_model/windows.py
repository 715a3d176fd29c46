"""
A stream of text in each row of a batch, cut into windows.
"""

from typing import Iterable, Iterator, List, NamedTuple, Sequence

from allennlp_elmo_plugin.network.spelling import BEGIN_OF_SENTENCE_TOKEN, END_OF_SENTENCE_TOKEN

__all__ = ["Window", "pack_into_windows", "sentence_window"]


class Window(NamedTuple):
    """
    A piece of the stream of one row, as each direction reads it. Every token but the last is an
    input, and every token but the first is to be predicted.

    # Parameters

    forward : `List[str]`
        The tokens, `<S>` and `</S>` around each sentence.
    backward : `List[str]`
        As many tokens, of the same sentences in the same order, each sentence from its end to its
        beginning.
    """

    forward: List[str]
    backward: List[str]


def sentence_window(sentence: Sequence[str]) -> Window:
    """
    # Parameters

    sentence : `Sequence[str]`
        The tokens of a sentence, without its boundaries.

    # Returns

    `Window`
        The whole sentence.
    """
    bounded = [BEGIN_OF_SENTENCE_TOKEN, *sentence, END_OF_SENTENCE_TOKEN]
    return Window(bounded, bounded[::-1])


def pack_into_windows(
    sentences: Iterable[Sequence[str]], num_rows: int, num_steps: int
) -> Iterator[List[Window]]:
    """
    Packs sentences into rows as bilm-tf does: each row takes the next sentence when it runs out of
    tokens, and a window begins where the last one of its row ended.

    # Parameters

    sentences : `Iterable[Sequence[str]]`
        The tokens of each sentence, without its boundaries.
    num_rows : `int`
        How many streams there are.
    num_steps : `int`
        The number of tokens of a window to be predicted.

    # Returns

    `Iterator[List[Window]]`
        The next window of each row. When the sentences end, windows are shorter, and rows that
        have nothing more to predict get empty ones. No token is left out.
    """
    rest = iter(sentences)
    rows = [Window([], []) for _ in range(num_rows)]
    while True:
        windows = []
        for row in rows:
            while len(row.forward) <= num_steps:
                sentence = next(rest, None)
                if sentence is None:
                    break
                for stream, tokens in zip(row, sentence_window(sentence)):
                    stream += tokens
            windows.append(Window(*(stream[: num_steps + 1] for stream in row)))
            for stream in row:
                del stream[:num_steps]
        if all(len(window.forward) < 2 for window in windows):
            return
        yield [window if len(window.forward) > 1 else Window([], []) for window in windows]
