"""Streams of text, cut into windows."""

from typing import List

from hypothesis import given
from hypothesis import strategies as st

from allennlp_elmo_plugin.language_model.windows import Window, pack_into_windows, sentence_window

# Every token is another one, so that it can be told where each has gone.
LENGTHS = st.lists(st.integers(min_value=1, max_value=9), max_size=20)
NUMBERS = st.integers(min_value=1, max_value=6)


def _sentences(lengths: List[int]) -> List[List[str]]:
    return [[f"{number:02}.{place}" for place in range(n)] for number, n in enumerate(lengths)]


def _joined(windows: List[List[str]]) -> List[str]:
    """The stream of a row: each window begins with the last token of the one before it."""
    stream: List[str] = []
    for window in windows:
        assert not stream or not window or stream[-1] == window[0]
        stream += window[1:] if stream else window
    return stream


def _split(stream: List[str], begin: str, end: str) -> List[List[str]]:
    """The sentences of a stream, which has to be made of whole ones."""
    sentences: List[List[str]] = []
    for token in stream:
        if token == begin:
            sentences.append([])
        sentences[-1].append(token)
    assert all(sentence[-1] == end for sentence in sentences)
    return [sentence[1:-1] for sentence in sentences]


@given(LENGTHS, NUMBERS, NUMBERS)
def test_every_sentence_is_in_one_stream(lengths: List[int], rows: int, steps: int) -> None:
    """Whole, between its boundaries; each row has its sentences in their order."""
    steps_of_windows = list(pack_into_windows(_sentences(lengths), rows, steps))
    streams = (
        [_joined([windows[row].forward for windows in steps_of_windows]) for row in range(rows)]
        if steps_of_windows
        else []
    )
    found = [_split(stream, "<S>", "</S>") for stream in streams]
    assert all(numbers == sorted(numbers) for numbers in found)
    assert sorted(sum(found, []), key=_sentences(lengths).index) == _sentences(lengths)


@given(LENGTHS, NUMBERS, NUMBERS)
def test_the_other_direction_has_each_sentence_reversed(
    lengths: List[int], rows: int, steps: int
) -> None:
    """The sentences follow each other in the same order, and windows are as long."""
    packed = list(pack_into_windows(_sentences(lengths), rows, steps))
    for row in range(rows):
        windows = [step[row] for step in packed]
        assert [len(w.forward) for w in windows] == [len(w.backward) for w in windows]
        forward = _split(_joined([w.forward for w in windows]), "<S>", "</S>")
        backward = _split(_joined([w.backward for w in windows]), "</S>", "<S>")
        assert backward == [sentence[::-1] for sentence in forward]


@given(LENGTHS, NUMBERS, NUMBERS)
def test_windows_are_full_until_the_sentences_end(
    lengths: List[int], rows: int, steps: int
) -> None:
    """Every row has one in each step; those that are shorter have only shorter ones after them."""
    packed = list(pack_into_windows(_sentences(lengths), rows, steps))
    assert all(len(step) == rows for step in packed)
    for row in range(rows):
        sizes = [len(step[row].forward) for step in packed]
        assert all(size == 0 or 2 <= size <= steps + 1 for size in sizes)
        ends = next((i for i, size in enumerate(sizes) if size < steps + 1), len(sizes))
        assert not any(sizes[ends + 1 :])


def test_sentences_are_taken_when_they_are_needed() -> None:
    """A corpus that never ends has windows all the same."""
    endless = (["rain"] for _ in iter(int, 1))
    first = next(pack_into_windows(endless, 2, 4))
    assert (
        first
        == [Window(["<S>", "rain", "</S>", "<S>", "rain"], ["</S>", "rain", "<S>", "</S>", "rain"])]
        * 2
    )


def test_a_sentence_is_a_window() -> None:
    """Its boundaries are part of it."""
    assert sentence_window(["rain", "falls"]) == Window(
        ["<S>", "rain", "falls", "</S>"], ["</S>", "falls", "rain", "<S>"]
    )
