"""Stores that several threads use at once."""

import copy
import gc
import pickle
import sys
import threading
from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest

from allennlp_elmo_plugin.embedder.activation_cache.store import ActivationStore
from tests.embedder.activation_cache.entries import (
    add_file,
    digest_of,
    entries_of,
    find_right,
    layers_of,
    open_store,
    warnings_in,
)

NUM_THREADS = 8


@pytest.fixture(autouse=True)
def _short_turns() -> Iterator[None]:
    """Lets threads take turns as often as possible."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def _run(function: Callable[[int], None], num_threads: int = NUM_THREADS) -> None:
    """Runs a function in several threads, and raises what one of them raises."""
    errors: List[BaseException] = []

    def run(number: int) -> None:
        try:
            function(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(num_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120.0)
    assert not any(thread.is_alive() for thread in threads)
    if errors:
        raise errors[0]


@pytest.mark.parametrize("segment_bytes", [1, 2000, 10**6])
def test_threads_share_a_store(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, segment_bytes: int
) -> None:
    """Threads add, find, flush and refresh at once; nothing is wrong, lost or counted twice."""
    store, count = open_store(tmp_path, "a", segment_bytes=segment_bytes), 12

    def work(group: int) -> None:
        for number in range(count):
            store.add(entries_of([number], group), 0.5)
            assert find_right(store, range(count), group) == list(range(number + 1))
            find_right(store, range(count), (group + 1) % NUM_THREADS)
            (store.flush, store.refresh)[number % 2]()
            assert store.num_tokens >= 0 and store.seconds >= 0.0 and store.num_bytes >= 0

    _run(work)
    store.flush()
    tokens = sum(
        len(layers_of(digest_of(number, group)))
        for number in range(count)
        for group in range(NUM_THREADS)
    )
    for each in (store, open_store(tmp_path, "a")):
        for group in range(NUM_THREADS):
            assert find_right(each, range(count), group) == list(range(count))
        assert (each.num_tokens, each.seconds) == (tokens, 0.5 * count * NUM_THREADS)
    assert warnings_in(caplog) == []


def test_threads_that_add_the_same_store_it_once(tmp_path: Path) -> None:
    """Sentences that all threads compute at once are written once."""
    store = open_store(tmp_path, "a", segment_bytes=500)

    def work(_: int) -> None:
        for number in range(20):
            store.add(entries_of([number]), 0.5)
            assert number in find_right(store, range(20))

    _run(work)
    store.flush()
    tokens = sum(len(layers_of(digest_of(number))) for number in range(20))
    assert open_store(tmp_path, "a").num_tokens == store.num_tokens == tokens


def test_stores_of_several_threads_come_and_go(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Stores that threads make, forget in cycles and collect lose nothing."""

    def work(group: int) -> None:
        for number in range(4):
            store = open_store(tmp_path, "a")
            store.add(entries_of([number], group), 0.5)
            cycle: List[Any] = [store]
            cycle.append(cycle)
            del store, cycle
            gc.collect()

    _run(work)
    # The collector does nothing for a thread while it runs for another one.
    gc.collect()
    store = open_store(tmp_path, "a")
    for group in range(NUM_THREADS):
        assert find_right(store, range(4), group) == list(range(4))
    assert warnings_in(caplog) == []


def test_reading_goes_on_while_a_file_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that writes for long holds up no thread that reads or adds."""
    store = open_store(tmp_path, "a")
    add_file(store, [0])
    store.add(entries_of([1]), 0.5)
    inside, done, whole = threading.Event(), threading.Event(), Path.write_bytes

    def write_slowly(path: Path, content: bytes) -> int:
        inside.set()
        assert done.wait(60.0)
        return whole(path, content)

    monkeypatch.setattr(Path, "write_bytes", write_slowly)
    writing = threading.Thread(target=store.flush)
    writing.start()
    inside.wait()
    reading = threading.Thread(
        target=lambda: (store.add(entries_of([2]), 0.5), find_right(store, range(3)))
    )
    reading.start()
    reading.join(30.0)
    was_held_up = reading.is_alive()
    done.set()
    writing.join()
    assert not was_held_up
    assert find_right(store, range(3)) == [0, 1, 2]


def _through_pickle(store: ActivationStore) -> Any:
    return pickle.loads(pickle.dumps(store))


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, _through_pickle])
def test_a_copy_reads_and_writes_the_folder(
    tmp_path: Path, copied: Callable[[ActivationStore], ActivationStore]
) -> None:
    """A copy of a store opens the folder anew; what waits in the original is written once."""
    store = open_store(tmp_path, "a")
    add_file(store, [0])
    store.add(entries_of([1]), 1.0)
    with store._lock.current:
        other = copied(store)
    assert find_right(other, range(3)) == [0]
    add_file(other, [2])
    store.flush()
    other.refresh()
    assert find_right(other, range(3)) == find_right(store, range(3)) == [0, 1, 2]
