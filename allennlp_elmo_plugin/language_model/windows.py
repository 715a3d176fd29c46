"""
Streams of text, cut into windows.
"""

from typing import Iterable, Iterator, List, NamedTuple, Sequence

from allennlp_elmo_plugin.network.spelling import BEGIN_OF_SENTENCE_TOKEN, END_OF_SENTENCE_TOKEN

__all__ = ["Window", "sentence_window", "stream_windows"]


class Window(NamedTuple):
    """
    A stretch of a stream, as each direction reads it.

    Every token but the last is an input, and every token but the first is a target.

    # Parameters

    forward : `List[str]`
        Tokens with `<S>` and `</S>` around each sentence.
    backward : `List[str]`
        The same number of tokens, from the same sentences in the same order. Each sentence is
        reversed.
    """

    forward: List[str]
    backward: List[str]


def sentence_window(sentence: Sequence[str]) -> Window:
    """
    Makes a window of one whole sentence.

    # Parameters

    sentence : `Sequence[str]`
        Tokens of the sentence, without its boundaries.

    # Returns

    `Window`
        The tokens with `<S>` and `</S>` around them.
    """
    bounded = [BEGIN_OF_SENTENCE_TOKEN, *sentence, END_OF_SENTENCE_TOKEN]
    return Window(bounded, bounded[::-1])


def stream_windows(
    sentences: Iterable[Sequence[str]], num_streams: int, num_steps: int
) -> Iterator[List[Window]]:
    """
    Fills streams with sentences and cuts the streams into windows, as bilm-tf does.

    A stream takes the next sentence when it runs out of tokens. A window begins with the last token
    of the stream's previous window.

    # Parameters

    sentences : `Iterable[Sequence[str]]`
        Tokens of each sentence, without its boundaries.
    num_streams : `int`
        Number of streams.
    num_steps : `int`
        Number of targets in a window.

    # Returns

    `Iterator[List[Window]]`
        The next window of each stream. After the last sentence, windows are shorter, and a stream
        without targets has empty windows. No sentence is lost.
    """
    remaining = iter(sentences)
    streams = [_Stream() for _ in range(num_streams)]
    while True:
        windows = []
        for stream in streams:
            while stream.length <= num_steps:
                sentence = next(remaining, None)
                if sentence is None:
                    break
                stream.append(sentence_window(sentence))
            windows.append(stream.next_window(num_steps))
        if all(len(window.forward) < 2 for window in windows):
            return
        yield [window if len(window.forward) > 1 else Window([], []) for window in windows]


class _Stream:
    """The tokens of a stream that are not in a window yet."""

    def __init__(self) -> None:
        self._tokens = Window([], [])
        # Tokens before it are in earlier windows. To remove them one window at a time would take a
        # time quadratic in the length of a sentence.
        self._start = 0

    @property
    def length(self) -> int:
        return len(self._tokens.forward) - self._start

    def append(self, sentence: Window) -> None:
        for tokens, new_tokens in zip(self._tokens, sentence):
            del tokens[: self._start]
            tokens += new_tokens
        self._start = 0

    def next_window(self, num_steps: int) -> Window:
        start = self._start
        self._start = min(start + num_steps, len(self._tokens.forward))
        return Window(*(tokens[start : start + num_steps + 1] for tokens in self._tokens))
