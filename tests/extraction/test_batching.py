"""Windows and batches of sentences."""

from typing import List

from hypothesis import given
from hypothesis import strategies as st

from allennlp_elmo_plugin.extraction.batching import batches_of_window, windows

LENGTHS = st.lists(st.integers(0, 40), max_size=60)


@given(LENGTHS, st.integers(1, 100))
def test_windows_keep_every_sentence_in_its_place(lengths: List[int], max_size: int) -> None:
    """One after another, the windows are the sentences, and none is empty."""
    numbered = list(enumerate(lengths))
    cut = list(windows(iter(numbered), max_size, lambda each: each[1]))
    assert [each for window in cut for each in window] == numbered
    assert all(cut)


@given(LENGTHS, st.integers(1, 100))
def test_a_window_is_as_large_as_it_may_be(lengths: List[int], max_size: int) -> None:
    """Only a single sentence exceeds the limit, and none fits into the window before."""
    cut = list(windows(lengths, max_size, lambda length: length))
    assert all(sum(window) <= max_size or len(window) == 1 for window in cut)
    assert all(sum(window) + after[0] > max_size for window, after in zip(cut, cut[1:]))


@given(LENGTHS, st.integers(1, 100))
def test_windows_depend_on_what_comes_before_alone(lengths: List[int], max_size: int) -> None:
    """After a window, the sentences that are left make the same windows."""
    cut = list(windows(lengths, max_size, lambda length: length))
    for number, window in enumerate(cut):
        assert list(windows(lengths, max_size, lambda length: length)) == cut[number:]
        lengths = lengths[len(window) :]


def test_a_window_is_read_when_it_is_asked_for() -> None:
    """Reading stops after the first sentence of the next window."""
    stream = iter(range(1, 100))
    assert next(windows(stream, 6, lambda size: size)) == [1, 2, 3]
    assert next(stream) == 5


@given(LENGTHS, st.integers(1, 200))
def test_each_sentence_of_a_window_is_in_one_batch(lengths: List[int], max_tokens: int) -> None:
    """Batches hold all positions, the longest sentences first, those of one length in order."""
    batches = batches_of_window(lengths, max_tokens)
    together = [position for batch in batches for position in batch]
    assert together == sorted(range(len(lengths)), key=lambda each: (-lengths[each], each))


@given(LENGTHS, st.integers(1, 200))
def test_a_batch_is_as_large_as_it_may_be(lengths: List[int], max_tokens: int) -> None:
    """Only a single sentence exceeds the limit, and none fits into the batch before."""

    def size(batch: List[int], rows: int) -> int:
        return rows * (lengths[batch[0]] + 2)

    batches = batches_of_window(lengths, max_tokens)
    assert all(len(batch) == 1 or size(batch, len(batch)) <= max_tokens for batch in batches)
    assert all(size(batch, len(batch) + 1) > max_tokens for batch in batches[:-1])
