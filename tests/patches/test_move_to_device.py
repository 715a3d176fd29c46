"""Metadata passes through `move_to_device` as in AllenNLP, and without a look at every word."""

from collections import namedtuple
from typing import Any, List
from unittest.mock import patch

import pytest
import torch
from allennlp.nn import util

from allennlp_elmo_plugin.patches import patch_move_to_device

Pair = namedtuple("Pair", ["left", "right"])


class _Words(list):
    """A list of a type of its own."""


def _original() -> Any:
    return util.move_to_device.__wrapped__


STRUCTURES: List[Any] = [
    ["some", "words", 1, 2.5, True, None],
    [],
    [["nested"], ["words", 3]],
    {"metadata": [{"words": ["a", "b"]}, {"words": []}], "tensor": torch.ones(2)},
    ["a word before", torch.ones(2)],
    ("tuple", ["of", "lists"]),
    Pair(["left"], torch.zeros(1)),
    _Words(["a", torch.ones(1)]),
]


def _moved(move: Any, structure: Any) -> Any:
    """Moves a structure to a device without memory, on which tensors have no numbers."""
    with patch.object(util, "move_to_device", move):
        return move(structure, torch.device("meta"))


def _described(structure: Any) -> Any:
    """Replaces tensors by their devices, so that structures compare."""
    if isinstance(structure, torch.Tensor):
        return str(structure.device)
    if isinstance(structure, dict):
        return {key: _described(value) for key, value in structure.items()}
    if isinstance(structure, (list, tuple)):
        return [type(structure).__name__, *map(_described, structure)]
    return structure


@pytest.mark.parametrize("structure", STRUCTURES, ids=lambda each: type(each).__name__)
def test_structures_are_moved_as_before(structure: Any) -> None:
    """Tensors move wherever they stand, and everything else stays as it is."""
    expected = _described(_moved(_original(), structure))
    assert _described(_moved(util.move_to_device, structure)) == expected


@pytest.mark.parametrize("words", [["a", "b"], [], [1, None]])
def test_a_list_without_tensors_is_returned_itself(words: List[Any]) -> None:
    """Like the original, the patch makes no copy of a list."""
    assert util.move_to_device(words, -1) is words


def test_words_are_not_moved_one_by_one() -> None:
    """One call suffices for a list of words."""
    calls = []

    def count(move: Any) -> Any:
        def counted(obj: Any, device: Any) -> Any:
            calls.append(obj)
            return move(obj, device)

        return counted

    with patch.object(util, "move_to_device", count(util.move_to_device)):
        util.move_to_device({"metadata": [{"words": ["a"] * 50}]}, -1)
    assert len(calls) == 4


def test_a_second_patch_changes_nothing() -> None:
    """The function is wrapped once."""
    before = util.move_to_device
    patch_move_to_device()
    assert util.move_to_device is before
