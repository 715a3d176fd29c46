"""Streams of text, cut into windows."""

import time
from typing import List

from hypothesis import given
from hypothesis import strategies as st

from allennlp_elmo_plugin.language_model.windows import Window, sentence_window, stream_windows

# Every token is unique, so each can be found again.
LENGTHS = st.lists(st.integers(min_value=1, max_value=9), max_size=20)
NUMBERS = st.integers(min_value=1, max_value=6)


def _sentences(lengths: List[int]) -> List[List[str]]:
    return [
        [f"{number:02}.{position}" for position in range(n)] for number, n in enumerate(lengths)
    ]


def _joined(windows: List[List[str]]) -> List[str]:
    """Joins the windows of a stream. Each begins with the last token of the previous one."""
    stream: List[str] = []
    for window in windows:
        assert not stream or not window or stream[-1] == window[0]
        stream += window[1:] if stream else window
    return stream


def _split(stream: List[str], begin: str, end: str) -> List[List[str]]:
    """Splits a stream into its sentences, and checks that they are whole."""
    sentences: List[List[str]] = []
    for token in stream:
        if token == begin:
            sentences.append([])
        sentences[-1].append(token)
    assert all(sentence[-1] == end for sentence in sentences)
    return [sentence[1:-1] for sentence in sentences]


@given(LENGTHS, NUMBERS, NUMBERS)
def test_every_sentence_is_in_one_stream(
    lengths: List[int], num_streams: int, num_steps: int
) -> None:
    """No sentence is lost, doubled or cut, and each stream keeps the order of its sentences."""
    batches = list(stream_windows(_sentences(lengths), num_streams, num_steps))
    streams = [
        _joined([windows[index].forward for windows in batches])
        for index in range(num_streams if batches else 0)
    ]
    found = [_split(stream, "<S>", "</S>") for stream in streams]
    assert all(numbers == sorted(numbers) for numbers in found)
    assert sorted(sum(found, []), key=_sentences(lengths).index) == _sentences(lengths)


@given(LENGTHS, NUMBERS, NUMBERS)
def test_the_backward_direction_has_each_sentence_reversed(
    lengths: List[int], num_streams: int, num_steps: int
) -> None:
    """The order of the sentences and the lengths of the windows equal the forward direction's."""
    batches = list(stream_windows(_sentences(lengths), num_streams, num_steps))
    for index in range(num_streams):
        windows = [batch[index] for batch in batches]
        assert [len(w.forward) for w in windows] == [len(w.backward) for w in windows]
        forward = _split(_joined([w.forward for w in windows]), "<S>", "</S>")
        backward = _split(_joined([w.backward for w in windows]), "</S>", "<S>")
        assert backward == [sentence[::-1] for sentence in forward]


@given(LENGTHS, NUMBERS, NUMBERS)
def test_windows_are_full_until_the_sentences_end(
    lengths: List[int], num_streams: int, num_steps: int
) -> None:
    """Every batch has a window of every stream; only empty ones follow a shorter one."""
    batches = list(stream_windows(_sentences(lengths), num_streams, num_steps))
    assert all(len(batch) == num_streams for batch in batches)
    for index in range(num_streams):
        sizes = [len(batch[index].forward) for batch in batches]
        assert all(size == 0 or 2 <= size <= num_steps + 1 for size in sizes)
        end = next((i for i, size in enumerate(sizes) if size < num_steps + 1), len(sizes))
        assert not any(sizes[end + 1 :])


def test_sentences_are_read_when_they_are_needed() -> None:
    """The first windows of an endless corpus can be taken."""
    endless = (["rain"] for _ in iter(int, 1))
    expected = Window(
        ["<S>", "rain", "</S>", "<S>", "rain"], ["</S>", "rain", "<S>", "</S>", "rain"]
    )
    assert next(stream_windows(endless, 2, 4)) == [expected, expected]


def test_a_sentence_can_be_a_window() -> None:
    """The window contains the sentence's boundaries."""
    assert sentence_window(["rain", "falls"]) == Window(
        ["<S>", "rain", "falls", "</S>"], ["</S>", "falls", "rain", "<S>"]
    )


def test_a_long_sentence_costs_no_more_than_short_ones() -> None:
    """The time for the windows grows with the number of tokens, not with its square."""

    def seconds(length: int) -> float:
        tokens = ["rain"] * length
        sentences = [tokens] * (800_000 // length)
        start = time.process_time()
        assert sum(1 for _ in stream_windows(sentences, 1, 20)) >= 40_000
        return time.process_time() - start

    # The square would take 30 times as long.
    assert seconds(800_000) < 5 * seconds(20)
