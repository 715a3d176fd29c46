"""
Locks and flags for objects that several threads use, and that are copied, pickled and forked.
"""

import os
from threading import RLock
from typing import Any, Dict, Hashable, Tuple
from weakref import WeakSet

__all__ = ["ForkSafeLock", "Once"]


class ForkSafeLock:
    """
    A re-entrant lock that no thread of a parent process can hold in its child.

    A fork copies a lock as it is, and the thread that would release it is missing in the child. The
    child's lock is therefore a new one. So code under the lock must leave its object usable
    wherever it is cut off. Copies and pickles are new locks as well.
    """

    current: RLock
    """The lock of this process, for a `with` statement."""

    # It has no `__enter__` of its own: an interrupt from the keyboard in its Python code would keep
    # the lock taken.
    def __init__(self) -> None:
        self.current = RLock()
        _ALL.add(self)

    def __reduce__(self) -> Tuple[Any, ...]:
        return type(self), ()


_ALL: "WeakSet[ForkSafeLock]" = WeakSet()


def _renew_all() -> None:
    for lock in _ALL:
        lock.current = RLock()


# Windows has no fork.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)


class Once:
    """
    A flag for what happens once, such as a warning.

    Of several threads that ask at the same time, one is the first.
    """

    def __init__(self) -> None:
        self._marks: Dict[Hashable, object] = {}

    def is_first(self, key: Hashable = None) -> bool:
        """
        Returns `True` for the first call with a key, and `False` for all others.

        # Parameters

        key : `Hashable`, optional (default = `None`)
            Name of the thing, if there are several.

        # Returns

        `bool`
        """
        mark = object()
        return self._marks.setdefault(key, mark) is mark
