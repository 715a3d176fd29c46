"""Trainings on several machines that do not fit together end with an error."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict, List

import pytest
from allennlp.common.checks import ConfigurationError
from allennlp.data import Vocabulary

from allennlp_elmo_plugin.patches import machines

CONFIG = {"model": {"type": "tagger", "size": 3}, "train_data_path": "a", "distributed": {"x": 1}}


def _folder(path: Path, config: Dict[str, Any]) -> Path:
    path.mkdir()
    (path / "config.json").write_text(json.dumps(config))
    return path


def _train(monkeypatch: pytest.MonkeyPatch, folders: List[Path], primaries: List[bool]) -> Any:
    """Trains as the last of the processes, after the others."""
    gathered: List[Any] = []

    def gather(value: Any) -> List[Any]:
        gathered.append(value)
        return gathered

    monkeypatch.setattr(machines, "gather_from_processes", gather)
    train = machines._patch_train(lambda trainer: "trained")
    for folder, is_primary in zip(folders, primaries):
        trained = train(
            SimpleNamespace(_distributed=True, _serialization_dir=str(folder), _primary=is_primary)
        )
    return trained


def test_paths_and_devices_may_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each machine can have its data elsewhere, and other numbers of its GPUs."""
    other = {**CONFIG, "train_data_path": "b", "distributed": {"x": 2}}
    folders = [_folder(tmp_path / "first", CONFIG), _folder(tmp_path / "second", other)]
    assert _train(monkeypatch, folders, [True, True]) == "trained"


def test_another_config_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the keys."""
    other = {**CONFIG, "model": {"type": "tagger", "size": 4, "bias": True}}
    folders = [_folder(tmp_path / "first", CONFIG), _folder(tmp_path / "second", other)]
    with pytest.raises(
        ConfigurationError, match=r"process 1 .* 0 in \['model.bias', 'model.size'\]"
    ):
        _train(monkeypatch, folders, [True, True])


def test_machines_need_folders_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Processes of one machine share a folder, and those of several do not."""
    folder = _folder(tmp_path / "output", CONFIG)
    (tmp_path / "mounted").symlink_to(folder)
    assert _train(monkeypatch, [folder, folder], [True, False]) == "trained"
    with pytest.raises(ConfigurationError, match="several machines train in the same one"):
        _train(monkeypatch, [folder, tmp_path / "mounted"], [True, True])


@pytest.mark.parametrize("words", [["a"], ["a", "c"], ["a", "b", "c"]], ids=str)
def test_another_vocabulary_is_an_error(monkeypatch: pytest.MonkeyPatch, words: List[str]) -> None:
    """The error names the namespace, also where only the words differ."""
    vocabularies = []
    for its_words in (["a", "b"], words):
        vocabulary = Vocabulary()
        vocabulary.add_tokens_to_namespace(its_words, "tokens")
        vocabularies.append(vocabulary)
    wrap = machines._patch_wrap_model(lambda accelerator, model: "wrapped")
    gathered = [machines._words(vocabularies[0])]
    monkeypatch.setattr(machines, "gather_from_processes", lambda value: [*gathered, value])
    assert wrap(None, SimpleNamespace(vocab=vocabularies[0])) == "wrapped"
    problem = rf"\['tokens'\] process 1 has \[{len(words) + 2}\] words, and process 0 has \[4\]"
    with pytest.raises(ConfigurationError, match=problem):
        wrap(None, SimpleNamespace(vocab=vocabularies[1]))
