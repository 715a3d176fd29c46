"""
The list of spelled tokens that the indexer returns.
"""

from functools import wraps
from typing import Any, Callable, List, Optional, Sequence

import numpy

from allennlp_elmo_plugin.io.locks import ForkSafeLock
from allennlp_elmo_plugin.network.spelling import SpelledWord

__all__ = ["SpelledTokens", "as_array"]


class SpelledTokens(List[List[int]]):
    """
    A list of lists of character ids, one for each token.

    It behaves as a plain list of lists, and its copies and pickles are plain lists. Until you ask
    for an element or change the list, its elements are those of the indexer's cache. So a token
    takes a few bytes instead of hundreds, and `as_array` joins encoded words. From then on each
    token has a list of its own, and a change of one changes no other.

    # Parameters

    words : `Sequence[SpelledWord]`
        The words of the tokens, from the indexer's cache.
    """

    __slots__ = ("_encoded",)

    def __init__(self, words: Sequence[SpelledWord]) -> None:
        super().__init__([word.ids for word in words])
        self._encoded: Optional[List[bytes]] = [word.encoded for word in words]

    def __radd__(self, other: List[Any]) -> List[Any]:
        """
        Appends the elements to a plain list, whose own addition would take shared ones.

        # Parameters

        other : `List[Any]`
            The elements that come first.

        # Returns

        `List[Any]`
        """
        return other + list(self)

    def __reduce__(self) -> Any:
        """
        Copies and pickles as a plain list.

        # Returns

        `Any`
            A function that makes the copy, and its arguments.
        """
        return list, (list(self),)

    def _own_elements(self) -> None:
        """Replaces the shared elements by copies, once."""
        if self._encoded is None:
            return
        with _OWNING.current:
            # Another thread may have been first and handed out its copies.
            if self._encoded is not None:
                copies = [ids.copy() for ids in list.__iter__(self)]
                list.__setitem__(self, slice(None), copies)
                self._encoded = None


# One for all lists: each list takes it once at most, and for microseconds.
_OWNING = ForkSafeLock()

# The other methods of `list` only compare, count, find or print elements.
_HANDS_OUT_OR_CHANGES = (
    "__add__",
    "__delitem__",
    "__getitem__",
    "__iadd__",
    "__imul__",
    "__iter__",
    "__mul__",
    "__reversed__",
    "__rmul__",
    "__setitem__",
    "append",
    "clear",
    "copy",
    "extend",
    "insert",
    "pop",
    "remove",
    "reverse",
    "sort",
)


def _owning_first(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def own_and_call(self: SpelledTokens, *args: Any, **kwargs: Any) -> Any:
        self._own_elements()
        return method(self, *args, **kwargs)

    return own_and_call


for _name in _HANDS_OUT_OR_CHANGES:
    setattr(SpelledTokens, _name, _owning_first(getattr(list, _name)))


def as_array(tokens: Sequence[Any]) -> numpy.ndarray:
    """
    Converts tokens to an array.

    # Parameters

    tokens : `Sequence[Any]`
        `SpelledTokens`, or for each token a list or an array of ids. At least one token.

    # Returns

    `numpy.ndarray`
        Shape (tokens, characters), int64. It may be read-only.

    # Raises

    `ValueError`
        If tokens have different numbers of ids.
    """
    # Read once: another thread may ask for an element meanwhile.
    encoded = tokens._encoded if isinstance(tokens, SpelledTokens) else None
    if encoded is None:
        return numpy.array(tokens, dtype=numpy.int64)
    return numpy.frombuffer(b"".join(encoded), dtype=numpy.int64).reshape(len(encoded), -1)
