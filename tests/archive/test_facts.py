"""Facts about components in the weights of an archive."""

from collections import OrderedDict
from pathlib import Path
from typing import Any, Dict, List, Optional

import pytest
import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.archive.facts import (
    COMPONENT,
    FACTS,
    checked_numbers,
    checked_words,
    facts_of,
    find_facts,
    is_extracted_archive,
)


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


def _nested(depth: int) -> List[Any]:
    """Returns a list in a list in a list."""
    nested: List[Any] = []
    for _ in range(depth):
        nested = [nested]
    return nested


FOREIGN: Dict[str, Any] = {
    "text": "facts",
    "number": 7,
    "tensor": torch.ones(3),
    "expanded tensor": torch.ones(1).expand(1 << 40),
    "list": [COMPONENT, "shape"],
    "nested": _nested(300),
    "facts of a tensor": {COMPONENT: torch.ones(2, 2), "file": torch.ones(2)},
    "huge": {COMPONENT: "x" * 1_000_000, "file": list(range(100_000))},
}


@pytest.mark.parametrize("foreign", list(FOREIGN.values()), ids=list(FOREIGN))
def test_foreign_metadata_is_passed_over(tmp_path: Path, foreign: Any) -> None:
    """Facts are found beside anything that other code puts into metadata."""
    facts = {COMPONENT: "shape", "file": "one"}
    _save(tmp_path / "weights.th", {"a": foreign, "b": facts})
    assert find_facts(str(tmp_path), "shape", file="one") == facts
    assert find_facts(str(tmp_path), "shape", file=None) is None
    weights: Any = OrderedDict({"linear.weight": torch.ones(2), "a._extra_state": foreign})
    weights._metadata = {"a": foreign, "b": {FACTS: facts}, 3: None}
    torch.save(weights, tmp_path / "weights.th")
    assert find_facts(str(tmp_path), "shape", file="one") == facts
    weights._metadata = foreign
    torch.save(weights, tmp_path / "weights.th")
    assert find_facts(str(tmp_path), "shape") is None
    assert facts_of(foreign) == facts_of({FACTS: 3}) == facts_of(None) == {}


def test_weights_that_are_no_state_dict_have_no_facts(tmp_path: Path) -> None:
    """A tensor or a list in place of weights is left to AllenNLP."""
    for content in (torch.ones(2), [torch.ones(2)], "weights", None):
        torch.save(content, tmp_path / "weights.th")
        assert find_facts(str(tmp_path), "shape") is None


def test_damaged_weights_of_an_archive_are_an_error(tmp_path: Path) -> None:
    """The error names the file."""
    _save(tmp_path / "weights.th", {"a": {COMPONENT: "shape"}})
    data = (tmp_path / "weights.th").read_bytes()
    for damaged in (b"", data[:-100], b"PK\x03\x04"):
        (tmp_path / "weights.th").write_bytes(damaged)
        with pytest.raises(ConfigurationError, match="weights.th"):
            find_facts(str(tmp_path), "shape")


@pytest.mark.parametrize("best", [None, b"", b"PK\x03\x04damaged"], ids=str)
def test_a_training_has_facts_in_its_checkpoints(tmp_path: Path, best: Optional[bytes]) -> None:
    """A kill may have left no whole `best.th`, and the files of the biLM may be gone."""
    _save(tmp_path / "model_state_e1_b0.th", {"a": {COMPONENT: "shape", "file": "old"}})
    _save(tmp_path / "model_state_e1_b4.th", {"a": {COMPONENT: "shape", "file": "new"}})
    (tmp_path / "model_state_e2_b0.th").write_bytes(b"")
    if best is not None:
        (tmp_path / "best.th").write_bytes(best)
    found = find_facts(str(tmp_path), "shape")
    assert found is not None and found["file"] == "new"


@pytest.mark.parametrize(
    "words", [None, "rain", 7, {"rain": 1}, ["rain", 7], [["rain"]], [None], torch.ones(2)], ids=str
)
def test_words_must_be_strings(words: Any) -> None:
    """Anything but a list of strings is an error that names the key."""
    with pytest.raises(ConfigurationError, match="a list of words as 'words'"):
        checked_words({"words": words}, "words")
    assert checked_words({"words": ("rain", "\u96e8")}, "words") == ["rain", "\u96e8"]


@pytest.mark.parametrize(
    "numbers",
    [
        None,
        7,
        [],
        [[1.0, 2.0, 3.0]],
        [[1.0, 2.0], [3.0, 4.0]],
        [[1.0, 2.0, "x"]] * 2,
        [[1.0, 2.0, True]] * 2,
        [[1.0, 2.0, 10**4000]] * 2,
        [[1.0, 2.0, [3.0]]] * 2,
        torch.ones(2, 3),
    ],
    ids=range(10),
)
def test_numbers_must_have_the_shape(numbers: Any) -> None:
    """Anything but rows of numbers is an error that names the key."""
    with pytest.raises(ConfigurationError, match="2 lists of 3 numbers as 'boundaries'"):
        checked_numbers({"boundaries": numbers}, "boundaries", (2, 3))
    found = checked_numbers({"boundaries": [[1.5, 2, 3], (4, 5, 6.0)]}, "boundaries", (2, 3))
    assert found.tolist() == [[1.5, 2.0, 3.0], [4.0, 5.0, 6.0]]
