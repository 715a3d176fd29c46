"""
A lock for threads that can be copied, pickled and forked.
"""

import os
from threading import RLock
from types import TracebackType
from typing import Any, Optional, Tuple, Type
from weakref import WeakSet

__all__ = ["ThreadLock"]


class ThreadLock:
    """
    A re-entrant lock for threads.

    A copy is another lock, and free. So is the lock in a forked process, where the thread that held
    it does not exist.
    """

    def __init__(self) -> None:
        self._lock = RLock()
        _LOCKS.add(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self._lock.release()

    def __reduce__(self) -> Tuple[Any, ...]:
        return ThreadLock, ()

    def _renew(self) -> None:
        self._lock = RLock()


_LOCKS: "WeakSet[ThreadLock]" = WeakSet()


def _renew_all() -> None:
    for lock in list(_LOCKS):
        lock._renew()


# Windows has no fork.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
