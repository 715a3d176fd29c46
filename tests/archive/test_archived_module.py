"""A module whose state dict also holds the facts that it was built from."""

from pathlib import Path
from typing import Any, Dict

import pytest
import torch

from allennlp_elmo_plugin.archive.archived_module import ArchivedModule
from allennlp_elmo_plugin.archive.facts import find_facts


class _Linear(ArchivedModule, torch.nn.Linear):
    """A linear layer that was built from a file."""

    component = "linear"

    def __init__(self, file: str) -> None:
        super().__init__(2, 1)
        self.file = file

    def archived_facts(self) -> Dict[str, Any]:
        return {"file": self.file, "sizes": [2, 1]}


def test_facts_are_found_in_saved_weights(tmp_path: Path) -> None:
    """Each module finds its own facts in the weights of a model."""
    model = torch.nn.ModuleList([_Linear("one.txt"), _Linear("caf\u00e9.txt")])
    torch.save(model.state_dict(), tmp_path / "weights.th")
    for file in ("one.txt", "caf\u00e9.txt"):
        facts = find_facts(str(tmp_path), "linear", file=file)
        assert facts is not None and (facts["file"], facts["sizes"]) == (file, [2, 1])
    assert find_facts(str(tmp_path), "linear", file="two.txt") is None


def test_a_state_dict_holds_weights_alone() -> None:
    """Code that walks a state dict meets no facts."""
    assert set(_Linear("one.txt").state_dict()) == {"weight", "bias"}


def test_a_dictionary_of_the_callers_own_is_filled() -> None:
    """PyTorch fills a plain dictionary without metadata."""
    mine: Dict[str, Any] = {}
    _Linear("one.txt").state_dict(destination=mine)
    assert set(mine) == {"weight", "bias"}


def test_weights_are_loaded_and_facts_stay() -> None:
    """Loading another module's state dict takes its weights and not its facts."""
    first, second = _Linear("one.txt"), _Linear("two.txt")
    first.load_state_dict(second.state_dict())
    assert torch.equal(first.weight, second.weight) and first.file == "one.txt"


@pytest.mark.parametrize("prefix", ["", "0."])
def test_weights_without_facts_are_loaded(prefix: str) -> None:
    """An archive without facts, such as one of the built-in, has no missing key."""
    first, second = _Linear("one.txt"), _Linear("two.txt")
    model = torch.nn.ModuleList([first]) if prefix else first
    model.load_state_dict({prefix + name: value for name, value in second.named_parameters()})
    assert torch.equal(first.weight, second.weight)


def test_a_missing_weight_is_still_an_error() -> None:
    """Only the facts may be missing."""
    with pytest.raises(RuntimeError, match="Missing key.*bias"):
        _Linear("one.txt").load_state_dict({"weight": torch.ones(1, 2)})


def test_a_module_has_to_give_facts() -> None:
    """A subclass without facts is named in the error."""
    with pytest.raises(NotImplementedError, match="ArchivedModule has no facts"):
        ArchivedModule().archived_facts()
