"""
State dicts that are not what was saved: other tensors, foreign entries, and hostile metadata.
"""

import copy
import inspect
from collections import OrderedDict
from pathlib import Path
from random import Random
from typing import Any, Callable, Dict, Tuple

import torch

__all__ = ["FileWriter", "change_state_dict", "odd_value"]

FACTS = "allennlp_elmo_plugin"
LOADS_SAFELY = "weights_only" in inspect.signature(torch.load).parameters
NUMBERS = (-1, 0, 1, 10**6, 10**9, 2**63, 10**30, 1e308, float("nan"), True)
OTHERS: Tuple[Any, ...] = (None, "", "\x00", "x" * 10**5, [], {}, [[]], {"a": {}}, b"\xff", (1, 2))

StateDict = Dict[str, Any]


def change_state_dict(random: Random, weights: StateDict, canary: Path) -> Tuple[Any, bool]:
    """
    Changes a state dict.

    # Parameters

    random : `Random`
        Source of random choices.
    weights : `Dict[str, Any]`
        State dict with metadata.
    canary : `Path`
        Folder that must stay as it is.

    # Returns

    `Tuple[Any, bool]`
        Object to save in its place, and `True` if a model that loads it must give the honest
        vectors.
    """
    changed = copy.copy(weights)
    changed._metadata = copy.deepcopy(weights._metadata)  # type: ignore[attr-defined]
    way = random.choice(_WAYS)
    return way(random, changed, canary)


def _foreign_entry(random: Random, weights: StateDict, canary: Path) -> Tuple[Any, bool]:
    """Adds an entry that belongs to no module of the model, or in the place of extra state."""
    module = random.choice(sorted({name.rpartition(".")[0] for name in weights}) + ["foreign"])
    name = random.choice(("_extra_state", "weight", "x"))
    weights[f"{module}.{name}" if module else name] = odd_value(random)
    return weights, False


def _other_tensor(random: Random, weights: StateDict, canary: Path) -> Tuple[Any, bool]:
    weights[random.choice(sorted(weights))] = odd_value(random)
    return weights, False


def odd_value(random: Random) -> Any:
    """
    Returns a tensor of any type and layout, often far larger than what it takes on disk.

    # Parameters

    random : `Random`
        Source of random choices.

    # Returns

    `Any`
        The tensor, or a value of another type.
    """
    huge = random.choice((10**5, 10**8, 10**10))
    ways: Tuple[Callable[[], Any], ...] = (
        lambda: torch.zeros(1, dtype=torch.uint8).expand(huge),
        lambda: torch.zeros(1).expand(1000, huge // 1000),
        lambda: torch.zeros(huge, device="meta"),
        lambda: torch.zeros(3, 3).to_sparse(),
        lambda: torch.zeros(0, 5),
        lambda: torch.tensor(float("nan")),
        lambda: torch.zeros(10**6, dtype=torch.uint8),
        lambda: torch.full((4, 6), 3, dtype=torch.int64),
        lambda: torch.zeros(4, dtype=torch.complex64),
        lambda: torch.quantize_per_tensor(torch.ones(3), 1.0, 0, torch.quint8),
        lambda: random.choice((*NUMBERS, *OTHERS)),
    )
    return random.choice(ways)()


def _missing_entry(random: Random, weights: StateDict, canary: Path) -> Tuple[Any, bool]:
    for name in random.sample(sorted(weights), random.choice((1, 2, len(weights)))):
        del weights[name]
    return weights, False


def _hostile_facts(random: Random, weights: StateDict, canary: Path) -> Tuple[Any, bool]:
    """Changes the facts of a component of the plugin."""
    metadata = weights._metadata  # type: ignore[attr-defined]
    holders = [each for each in metadata.values() if FACTS in each]
    holder = random.choice(holders)
    facts = holder[FACTS]
    way = random.randrange(4)
    value = random.choice((*NUMBERS, *OTHERS))
    if way == 0:
        holder[FACTS] = value
    elif way == 1:
        facts[random.choice(sorted(facts))] = value
    elif way == 2:
        del facts[random.choice(sorted(facts))]
    elif isinstance(facts.get("options"), dict):
        options = facts["options"]
        options[random.choice((*options, "unknown"))] = value
    return weights, False


def _other_metadata(random: Random, weights: StateDict, canary: Path) -> Tuple[Any, bool]:
    metadata: Any = random.choice(
        ({}, None, [], OrderedDict({"": None}), OrderedDict({"": {FACTS: []}}), "text")
    )
    weights._metadata = metadata  # type: ignore[attr-defined]
    return weights, False


def _plain(random: Random, weights: StateDict, canary: Path) -> Tuple[Any, bool]:
    """Returns what is no state dict, or one without metadata."""
    return random.choice((dict(weights), list(weights), None, 3, "text", torch.zeros(3))), False


def _unchanged(random: Random, weights: StateDict, canary: Path) -> Tuple[Any, bool]:
    items = list(weights.items())
    random.shuffle(items)
    shuffled = OrderedDict(items)
    shuffled._metadata = weights._metadata  # type: ignore[attr-defined]
    return shuffled, True


class FileWriter:
    """
    An object that writes a file when it is unpickled.

    # Parameters

    path : `str`
        Path of the file.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def __reduce__(self) -> Any:
        return open, (self._path, "w")


def _hostile_pickle(random: Random, weights: StateDict, canary: Path) -> Tuple[Any, bool]:
    """Adds code to run. Before it had `weights_only`, PyTorch ran any."""
    if LOADS_SAFELY:
        weights["code"] = FileWriter(str(canary / "written"))
    return weights, False


_WAYS = (
    _foreign_entry, _foreign_entry, _other_tensor, _other_tensor, _missing_entry, _hostile_facts,
    _hostile_facts, _hostile_facts, _other_metadata, _plain, _unchanged, _hostile_pickle,
)  # fmt: skip
