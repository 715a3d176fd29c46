"""Properties that are computed when they are first read."""

from threading import Event, Thread, current_thread
from typing import List

import pytest

from allennlp_elmo_plugin.io.lazy import lazy_property
from tests.support.forks import needs_fork, succeeds_in_fork
from tests.support.threads import in_threads


class _Numbers:
    """An object with a lazy property, whose first computation may have to wait."""

    def __init__(self) -> None:
        self.started, self.may_go_on, self.waiting_thread = Event(), Event(), None

    @lazy_property
    def numbers(self) -> List[int]:
        """Three numbers."""
        if current_thread() is self.waiting_thread:
            self.started.set()
            self.may_go_on.wait()
        return [1, 2, 3]


def test_it_is_computed_once() -> None:
    """A second reading returns the object of the first."""
    holder = _Numbers()
    assert holder.numbers == [1, 2, 3]
    assert holder.numbers is holder.numbers


def test_threads_get_one_object() -> None:
    """Threads that read it at once get the same object."""
    for _ in range(50):
        holder = _Numbers()
        first, *others = in_threads(lambda _, holder=holder: holder.numbers)
        assert all(other is first for other in others)


@needs_fork
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_does_not_wait_for_a_thread_of_its_parent() -> None:
    """A child that is forked during a computation in another thread computes the value itself."""
    holder = _Numbers()
    thread = Thread(target=lambda: holder.numbers)
    holder.waiting_thread = thread
    thread.start()
    holder.started.wait()
    try:
        assert succeeds_in_fork(lambda: holder.numbers)
    finally:
        holder.may_go_on.set()
        thread.join()
