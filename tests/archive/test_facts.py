"""Facts about components in the weights of an archive."""

from collections import OrderedDict
from pathlib import Path
from typing import Any, Dict

import pytest
import torch

from allennlp_elmo_plugin.archive.facts import COMPONENT, FACTS, find_facts, is_extracted_archive


def _save(path: Path, facts: Dict[str, Any], **options: Any) -> None:
    """Saves weights whose modules have these facts, by name."""
    path.parent.mkdir(exist_ok=True)
    weights: Any = OrderedDict({"linear.weight": torch.ones(2)})
    metadata = {name: {"version": 1, FACTS: value} for name, value in facts.items()}
    weights._metadata = OrderedDict({"": {"version": 1}, **metadata})
    torch.save(weights, path, **options)


def test_written_facts_are_found(tmp_path: Path) -> None:
    """Facts are found by their component and by values in them."""
    facts = {
        "a": {COMPONENT: "shape", "file": "one", "sizes": [1, 2]},
        "b": {COMPONENT: "shape", "file": "caf\u00e9", "sizes": [3]},
        "c": {COMPONENT: "words", "file": "one", "words": ["\u96e8"]},
    }
    _save(tmp_path / "weights.th", facts)
    found = find_facts(str(tmp_path), "shape", file="caf\u00e9")
    assert found is not None and found["sizes"] == [3]
    found = find_facts(str(tmp_path), "words", file="one")
    assert found is not None and found["words"] == ["\u96e8"]
    assert find_facts(str(tmp_path), "shape", file="two") is None
    assert find_facts(str(tmp_path), "other") is None


def test_weights_without_metadata_have_no_facts(tmp_path: Path) -> None:
    """A dictionary that someone has rebuilt is read all the same."""
    torch.save({"linear.weight": torch.ones(2)}, tmp_path / "weights.th")
    assert find_facts(str(tmp_path), "shape") is None


@pytest.mark.parametrize("name", ["weights.th", "best.th"])
def test_archives_and_folders_of_trainings_are_searched(tmp_path: Path, name: str) -> None:
    """An archive is told from a training by the name of its weights."""
    _save(tmp_path / name, {"a": {COMPONENT: "shape"}})
    assert find_facts(str(tmp_path), "shape") is not None
    assert is_extracted_archive(str(tmp_path)) == (name == "weights.th")


def test_a_folder_without_weights_has_no_facts(tmp_path: Path) -> None:
    """A training that begins has no weights, and an embedder built in Python has no folder."""
    assert find_facts(str(tmp_path), "shape") is None
    assert find_facts(None, "shape") is None
    assert not is_extracted_archive(None)


def test_archives_of_old_versions_of_torch_are_left_to_allennlp(tmp_path: Path) -> None:
    """Their weights are no zip, and were never written by this plugin."""
    _save(tmp_path / "weights.th", {}, _use_new_zipfile_serialization=False)
    assert find_facts(str(tmp_path), "shape") is None
