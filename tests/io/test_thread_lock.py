"""Locks for threads that are copied, pickled and forked."""

import copy
import os
import pickle
import threading
from typing import Any, Callable

import pytest

from allennlp_elmo_plugin.io.thread_lock import ThreadLock


def _is_free(lock: ThreadLock) -> bool:
    """Returns `True` if another thread gets the lock within two seconds."""

    def take() -> None:
        with lock:
            pass

    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    thread.join(2.0)
    return not thread.is_alive()


def _through_pickle(lock: ThreadLock) -> Any:
    return pickle.loads(pickle.dumps(lock))


def test_one_thread_holds_it_at_a_time() -> None:
    """Another thread waits until the block ends, and the same thread does not."""
    lock = ThreadLock()
    with lock, lock:
        assert not _is_free(lock)
    assert _is_free(lock)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, _through_pickle])
def test_a_copy_is_free(copied: Callable[[ThreadLock], ThreadLock]) -> None:
    """A copy of a lock that is held is another lock."""
    lock = ThreadLock()
    with lock:
        other = copied(lock)
        assert other is not lock and _is_free(other)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_finds_it_free() -> None:
    """A lock that another thread holds when a process is forked is free in the new process."""
    lock, held, done = ThreadLock(), threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            held.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    child = os.fork()
    if not child:
        os._exit(0 if _is_free(lock) else 1)
    _, status = os.waitpid(child, 0)
    assert not _is_free(lock)
    done.set()
    thread.join()
    assert status == 0 and _is_free(lock)
