"""Locks and flags survive copies, pickles and forks."""

import copy
import pickle
from threading import Event, Thread
from typing import Callable

import pytest

from allennlp_elmo_plugin.io.locks import ForkSafeLock, Once
from tests.support.forks import needs_fork, succeeds_in_fork
from tests.support.threads import in_threads


def acquire(lock: ForkSafeLock) -> None:
    """Takes a lock and gives it back."""
    with lock.current:
        pass


def test_one_thread_at_a_time() -> None:
    """Of threads that count one by one under a lock, none loses a number."""
    lock, counts = ForkSafeLock(), [0]

    def count(_: int) -> None:
        for _ in range(500):
            with lock.current:
                counts[0] = counts[0] + 1

    in_threads(count)
    assert counts == [4000]


def test_the_thread_that_holds_it_need_not_wait() -> None:
    """A thread may take a lock that it holds already."""
    lock = ForkSafeLock()
    with lock.current:
        assert lock.current.acquire(blocking=False)
        lock.current.release()


@needs_fork
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_gets_a_lock_that_a_thread_of_its_parent_holds() -> None:
    """The thread that would release it is missing in the child, which has a new lock."""
    lock, held, done = ForkSafeLock(), Event(), Event()

    def hold() -> None:
        with lock.current:
            held.set()
            done.wait()

    thread = Thread(target=hold)
    thread.start()
    held.wait()
    try:
        assert succeeds_in_fork(lambda: acquire(lock))
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize(
    "through",
    [copy.copy, copy.deepcopy, lambda lock: pickle.loads(pickle.dumps(lock))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_a_copy_is_a_new_lock(through: Callable[[ForkSafeLock], ForkSafeLock]) -> None:
    """A copy of a lock that is held can be taken."""
    lock = ForkSafeLock()
    with lock.current:
        acquire(through(lock))


def test_one_thread_is_the_first() -> None:
    """Of threads that ask at once, one is the first for each key."""
    for _ in range(50):
        once = Once()
        answers = in_threads(lambda _, once=once: (once.is_first(), once.is_first("key")))
        assert [sum(column) for column in zip(*answers)] == [1, 1]
        assert not once.is_first()
