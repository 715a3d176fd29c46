"""Facts about components in the weights of an archive."""

from pathlib import Path
from typing import Any, Dict

import pytest
import torch

from allennlp_elmo_plugin.archive.extra_state import (
    find_extra_state,
    is_extracted_archive,
    to_extra_state,
)


def _save(path: Path, weights: Dict[str, Any], **options: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    torch.save({"linear.weight": torch.ones(2), **weights}, path, **options)


def test_written_facts_are_found(tmp_path: Path) -> None:
    """Facts are found by their component and by values in them, beside other extra state."""
    state = {
        "a._extra_state": to_extra_state("shape", {"file": "one", "sizes": [1, 2]}),
        "b._extra_state": to_extra_state("shape", {"file": "caf\u00e9", "sizes": [3]}),
        "c._extra_state": to_extra_state("words", {"file": "one", "words": ["\u96e8"]}),
        # Those of other modules.
        "d._extra_state": torch.tensor([1, 2], dtype=torch.uint8),
        "e._extra_state": {"anything": 1},
    }
    _save(tmp_path / "weights.th", state)
    found = find_extra_state(str(tmp_path), "shape", file="caf\u00e9")
    assert found is not None and found["sizes"] == [3]
    found = find_extra_state(str(tmp_path), "words", file="one")
    assert found is not None and found["words"] == ["\u96e8"]
    assert find_extra_state(str(tmp_path), "shape", file="two") is None
    assert find_extra_state(str(tmp_path), "other") is None


@pytest.mark.parametrize("name", ["weights.th", "best.th"])
def test_archives_and_folders_of_trainings_are_searched(tmp_path: Path, name: str) -> None:
    """An archive is told from a training by the name of its weights."""
    _save(tmp_path / name, {"_extra_state": to_extra_state("shape", {})})
    assert find_extra_state(str(tmp_path), "shape") is not None
    assert is_extracted_archive(str(tmp_path)) == (name == "weights.th")


def test_a_folder_without_weights_has_no_facts(tmp_path: Path) -> None:
    """A training that begins has no weights, and an embedder built in Python has no folder."""
    assert find_extra_state(str(tmp_path), "shape") is None
    assert find_extra_state(None, "shape") is None
    assert not is_extracted_archive(None)


def test_archives_of_old_versions_of_torch_are_left_to_allennlp(tmp_path: Path) -> None:
    """Their weights are no zip, and were never written by this plugin."""
    _save(tmp_path / "weights.th", {}, _use_new_zipfile_serialization=False)
    assert find_extra_state(str(tmp_path), "shape") is None
