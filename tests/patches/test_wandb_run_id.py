"""The patch for the trainer callback `wandb`, with a fake wandb that needs no network."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Dict, List

import pytest
from allennlp.training.callbacks import TrainerCallback
from allennlp.training.callbacks.wandb import WandBCallback


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> List[Dict[str, Any]]:
    """The arguments of every `wandb.init`. The fake wandb has no `generate_id`."""
    started: List[Dict[str, Any]] = []
    module = ModuleType("wandb")
    names: Dict[str, Any] = {
        "util": SimpleNamespace(),
        "init": lambda **options: started.append(options),
        "save": lambda *_, **__: None,
        "watch": lambda *_: None,
    }
    for name, value in names.items():
        setattr(module, name, value)
    monkeypatch.setitem(sys.modules, "wandb", module)
    monkeypatch.setenv("WANDB_API_KEY", "none")
    return started


def callback(folder: Path) -> Any:
    """Builds the callback as a trainer does."""
    (folder / "config.json").write_text("{}", encoding="utf-8")
    built = TrainerCallback.by_name("wandb")(serialization_dir=str(folder))
    assert isinstance(built, WandBCallback)
    return built


def test_run_gets_an_id(tmp_path: Path, runs: List[Dict[str, Any]]) -> None:
    """If wandb generates no id, each run gets one of its own, and its checkpoints contain it."""
    first, second = callback(tmp_path), callback(tmp_path)
    for each in (first, second):
        each.on_start(SimpleNamespace(model=None), is_primary=True)

    assert [len(run["id"]) for run in runs] == [8, 8]
    assert runs[0]["id"] != runs[1]["id"]
    assert first.state_dict() == {"run_id": runs[0]["id"]}


def test_recovered_run_keeps_its_id(tmp_path: Path, runs: List[Dict[str, Any]]) -> None:
    """A run that continues from a checkpoint keeps its id."""
    recovered = callback(tmp_path)
    recovered.load_state_dict({"run_id": "abcd1234"})

    recovered.on_start(SimpleNamespace(model=None), is_primary=True)

    assert runs[0]["id"] == "abcd1234"


def test_id_is_wandbs_where_it_generates_one(tmp_path: Path, runs: List[Dict[str, Any]]) -> None:
    """If wandb still has `generate_id`, the id comes from there."""
    sys.modules["wandb"].util.generate_id = lambda: "from-wandb"

    callback(tmp_path).on_start(SimpleNamespace(model=None), is_primary=True)

    assert runs[0]["id"] == "from-wandb"


def test_other_workers_start_no_run(tmp_path: Path, runs: List[Dict[str, Any]]) -> None:
    """In distributed training, only the primary process starts a run."""
    callback(tmp_path).on_start(SimpleNamespace(model=None), is_primary=False)

    assert runs == []
