"""The list of spelled tokens beside a plain list of lists."""

import copy
import json
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from struct import pack
from threading import Barrier
from typing import Any, Callable, Dict, List

import numpy
import pytest
import torch
from allennlp.common.util import sanitize

from allennlp_elmo_plugin.embedder.spelled_tokens import SpelledTokens, as_array
from allennlp_elmo_plugin.network.spelling import SpelledWord

ROWS = [[259, 98, 260], [259, 100, 260], [259, 98, 260]]
OTHER = [7, 8, 9]

READ: Dict[str, Callable[[Any], Any]] = {
    "equal": lambda tokens: (tokens == ROWS, list(ROWS) == tokens, tokens == ROWS[:2]),
    "unequal": lambda tokens: (tokens != ROWS, list(ROWS) != tokens, tokens != ROWS[:2]),
    "less": lambda tokens: (tokens < [OTHER], list(ROWS) < tokens, list(ROWS) <= tokens),
    "length and truth": lambda tokens: (len(tokens), bool(tokens)),
    "types": lambda tokens: (isinstance(tokens, list), {type(row) for row in tokens}),
    "text": lambda tokens: (str(tokens), repr(tokens)),
    "json": lambda tokens: (json.dumps(tokens), json.dumps(tokens, indent=1)),
    "sanitize": sanitize,
    "torch": lambda tokens: torch.LongTensor(tokens).tolist(),
    "torch tensor": lambda tokens: torch.tensor(tokens).tolist(),
    "numpy": lambda tokens: (numpy.array(tokens).tolist(), str(numpy.array(tokens).dtype)),
    "search": lambda tokens: (tokens.index(ROWS[1]), tokens.count(ROWS[0]), OTHER in tokens),
    "element": lambda tokens: (tokens[1], tokens[-1], tokens[1][0]),
    "slice": lambda tokens: (tokens[1:], tokens[::-1], tokens[5:]),
    "add": lambda tokens: (tokens + [OTHER], [OTHER] + tokens, tokens + tokens),
    "multiply": lambda tokens: (tokens * 2, 2 * tokens),
    "add to an element": lambda tokens: tokens[0] + [1],
    "iterate": lambda tokens: ([*tokens], list(tokens), tuple(tokens), [row[0] for row in tokens]),
    "reverse": lambda tokens: (list(reversed(tokens)), tokens[::-1]),
    "order": lambda tokens: (sorted(tokens), max(tokens), min(tokens)),
    "join": lambda tokens: list(zip(tokens, range(9))),
    "copy": lambda tokens: (tokens.copy(), copy.copy(tokens), copy.deepcopy(tokens)),
}
"""Ways to read a list, whose results must be equal."""

CHANGE: Dict[str, Callable[[Any], Any]] = {
    "set an element": lambda tokens: tokens.__setitem__(1, OTHER),
    "set a slice": lambda tokens: tokens.__setitem__(slice(1, 2), [OTHER, OTHER]),
    "set an id": lambda tokens: tokens[0].__setitem__(1, 5),
    "append an id": lambda tokens: tokens[0].append(5),
    "delete": lambda tokens: tokens.__delitem__(0),
    "append": lambda tokens: tokens.append(OTHER),
    "extend": lambda tokens: tokens.extend([OTHER]),
    "extend by itself": lambda tokens: tokens.extend(tokens),
    "add in place": lambda tokens: tokens.__iadd__([OTHER]),
    "multiply in place": lambda tokens: tokens.__imul__(2),
    "insert": lambda tokens: tokens.insert(1, OTHER),
    "pop": lambda tokens: tokens.pop(0),
    "remove": lambda tokens: tokens.remove(ROWS[0]),
    "reverse": lambda tokens: tokens.reverse(),
    "sort": lambda tokens: tokens.sort(),
    "clear": lambda tokens: tokens.clear(),
}
"""Ways to change a list: results must be equal, and so must the lists afterwards."""

HAND_OUT: Dict[str, Callable[[Any], List[Any]]] = {
    "element": lambda tokens: tokens[0],
    "iterator": lambda tokens: next(iter(tokens)),
    "reversed": lambda tokens: list(reversed(tokens))[-1],
    "unpacked": lambda tokens: [*tokens][0],
    "list": lambda tokens: list(tokens)[0],
    "tuple": lambda tokens: tuple(tokens)[0],
    "slice": lambda tokens: tokens[:][0],
    "copy": lambda tokens: tokens.copy()[0],
    "copy.copy": lambda tokens: copy.copy(tokens)[0],
    "copy.deepcopy": lambda tokens: copy.deepcopy(tokens)[0],
    "pickle": lambda tokens: pickle.loads(pickle.dumps(tokens))[0],
    "added": lambda tokens: (tokens + [])[0],
    "added to": lambda tokens: ([] + tokens)[0],
    "extended": lambda tokens: _filled(lambda rows: rows.extend(tokens)),
    "assigned": lambda tokens: _filled(lambda rows: rows.__setitem__(slice(None), tokens)),
    "added in place": lambda tokens: _filled(lambda rows: rows.__iadd__(tokens)),
    "multiplied": lambda tokens: (tokens * 1)[0],
    "multiplied by": lambda tokens: (1 * tokens)[0],
    "popped": lambda tokens: tokens.pop(0),
    "minimum": lambda tokens: min(tokens),
    "sorted": lambda tokens: sorted(tokens)[0],
    "sorted in place": lambda tokens: _keys(tokens)[0],
}
"""All ways by which someone can get at the first element."""

NEITHER_HANDS_OUT_NOR_CHANGES = {
    "__class_getitem__",
    "__contains__",
    "__eq__",
    "__ge__",
    "__gt__",
    "__hash__",
    "__init__",
    "__le__",
    "__len__",
    "__lt__",
    "__ne__",
    "__new__",
    "__repr__",
    "__sizeof__",
    "count",
    "index",
}


def _filled(fill: Callable[[List[Any]], Any]) -> List[Any]:
    rows: List[Any] = []
    fill(rows)
    return rows[0]  # type: ignore[no-any-return]


def _keys(tokens: Any) -> List[Any]:
    seen: List[Any] = []
    tokens.sort(key=lambda row: seen.append(row) or 0)
    return seen


def words() -> List[SpelledWord]:
    """Returns three cached words, of which the first and the last are the same."""
    first, second = (SpelledWord(list(row), pack("3q", *row)) for row in ROWS[:2])
    return [first, second, first]


@pytest.mark.parametrize("operation", READ.values(), ids=list(READ))
def test_reading_gives_what_a_plain_list_gives(operation: Callable[[Any], Any]) -> None:
    """Every way to read gives what it gives for a list of lists, once and again."""
    tokens = SpelledTokens(words())
    expected = operation(copy.deepcopy(ROWS))
    assert operation(tokens) == expected
    assert operation(tokens) == expected
    assert tokens == ROWS


@pytest.mark.parametrize("operation", CHANGE.values(), ids=list(CHANGE))
def test_changing_does_what_it_does_to_a_plain_list(operation: Callable[[Any], Any]) -> None:
    """Every change returns and leaves what it does for a list of lists."""
    tokens, plain = SpelledTokens(words()), copy.deepcopy(ROWS)
    returned, expected = operation(tokens), operation(plain)
    assert returned == expected
    assert tokens == plain
    assert json.loads(json.dumps(tokens)) == plain


@pytest.mark.parametrize("operation", CHANGE.values(), ids=list(CHANGE))
def test_a_change_changes_the_array(operation: Callable[[Any], Any]) -> None:
    """The array has the ids after a change, or is refused if tokens differ in length."""
    tokens = SpelledTokens(words())
    operation(tokens)
    if len({len(row) for row in tokens}) > 1:
        with pytest.raises(ValueError):
            as_array(tokens)
    else:
        assert as_array(tokens).tolist() == list(tokens)


@pytest.mark.parametrize("hand_out", HAND_OUT.values(), ids=list(HAND_OUT))
def test_a_changed_element_changes_no_other(hand_out: Callable[[Any], List[Any]]) -> None:
    """An element that someone got and changed changes neither the cache nor other tokens."""
    cached = words()
    tokens, others = SpelledTokens(cached), SpelledTokens(cached)
    before = copy.deepcopy(cached)
    hand_out(tokens)[1] = 5
    assert cached == before
    assert tokens[-1] == ROWS[2]
    assert others == ROWS
    assert as_array(others).tolist() == ROWS


@pytest.mark.parametrize("name", ["element", "iterator", "slice", "copy", "copy.copy", "added to"])
def test_an_element_stays_the_same_object(name: str) -> None:
    """Shallow ways to get an element give the object that the list keeps."""
    tokens = SpelledTokens(words())
    assert HAND_OUT[name](tokens) is tokens[0]


def test_each_method_of_a_list_was_thought_of() -> None:
    """A method that a new Python adds to `list` must be looked at."""
    own = {name for name in vars(SpelledTokens) if callable(getattr(SpelledTokens, name))}
    assert set(vars(list)) - own - {"__doc__", "__getattribute__"} <= NEITHER_HANDS_OUT_NOR_CHANGES


@pytest.mark.parametrize(
    "duplicate",
    [copy.copy, copy.deepcopy, lambda tokens: pickle.loads(pickle.dumps(tokens))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_a_copy_is_a_plain_list(duplicate: Callable[[Any], Any]) -> None:
    """Copies are equal on both sides and need no class of this package."""
    tokens = SpelledTokens(words())
    copied = duplicate(tokens)
    assert type(copied) is list
    assert copied == tokens and tokens == copied


def test_elements_are_shared_until_asked_for() -> None:
    """Neither the length, nor a comparison, nor the array copies elements."""
    cached = words()
    tokens = SpelledTokens(cached)
    assert len(tokens) == 3 and tokens == ROWS and as_array(tokens).tolist() == ROWS
    assert list.__getitem__(tokens, 0) is cached[0].ids
    assert tokens[0] is not cached[0].ids


def test_threads_get_the_same_elements() -> None:
    """Threads that ask for the elements at the same time get the same objects."""
    threads, rounds = 4, 300
    barrier = Barrier(threads)
    cached = words() * 20

    def first(shared: List[SpelledTokens]) -> List[int]:
        seen = []
        for tokens in shared:
            barrier.wait()
            seen.append(id(tokens[0]))
        return seen

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(threads) as pool:
            shared = [SpelledTokens(cached) for _ in range(rounds)]
            seen = list(pool.map(first, [shared] * threads))
    finally:
        sys.setswitchinterval(interval)
    assert seen == [[id(tokens[0]) for tokens in shared]] * threads
