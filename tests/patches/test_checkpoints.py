"""A checkpoint is two whole files, or it does not count."""

import logging
import os
from pathlib import Path
from typing import Any, List, Optional, Set, Tuple

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.training.checkpointer import Checkpointer
from allennlp.training.trainer import TrainerCheckpoint

from allennlp_elmo_plugin.patches import checkpoints

DAMAGES = {
    "empty": lambda data: b"",
    "cut off": lambda data: data[: len(data) // 2],
    "cut short": lambda data: data[:-1],
    "changed": lambda data: data.replace(bytes(torch.full((4,), 7.0).numpy()), b"\0" * 16),
}


class Trainer:
    """A trainer at a point of its training."""

    def __init__(self, epochs: int, batches: int) -> None:
        self.point = epochs, batches

    def get_checkpoint_state(self) -> TrainerCheckpoint:
        """Returns states that tell which point they are from."""
        epochs, batches = self.point
        state = {"epochs_completed": epochs, "batches_in_epoch_completed": batches}
        number = torch.tensor(float(10 * epochs + batches))
        weights = {"weight": torch.full((4,), 7.0), "number": number}
        return TrainerCheckpoint(weights, {**state, "moments": torch.full((4,), 7.0)})


def save(folder: Path, *points: Tuple[int, int], **options: Any) -> Checkpointer:
    """Saves checkpoints, and returns the checkpointer."""
    checkpointer = Checkpointer(str(folder), **{"keep_most_recent_by_count": None, **options})
    for point in points:
        checkpointer.save_checkpoint(Trainer(*point))  # type: ignore[arg-type]
    return checkpointer


def loaded(checkpointer: Checkpointer) -> Optional[Tuple[float, int]]:
    """Returns the point that the model's state and the trainer's state are from."""
    state = checkpointer.load_checkpoint()
    if state is None:
        return None
    trainer = state.trainer_state
    number = 10 * trainer["epochs_completed"] + trainer["batches_in_epoch_completed"]
    return state.model_state["number"].item(), number


def names(folder: Path) -> List[str]:
    """Returns the names of the files that are checkpoints."""
    return sorted(path.name for path in folder.glob("*.th"))


@pytest.mark.parametrize("damage", list(DAMAGES.values()), ids=list(DAMAGES))
@pytest.mark.parametrize("state", ["model", "training"])
def test_a_damaged_checkpoint_is_skipped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, state: str, damage: Any
) -> None:
    """The newest whole pair is loaded, and a warning names what was skipped and why."""
    checkpointer = save(tmp_path, (1, 0), (1, 4), (2, 0))
    path = tmp_path / f"{state}_state_e2_b0.th"
    path.write_bytes(damage(path.read_bytes()))
    with caplog.at_level(logging.WARNING):
        assert loaded(checkpointer) == (14.0, 14)
    assert "model_state_e1_b4.th" in caplog.text
    assert f"{state}_state_e2_b0.th', but" in caplog.text
    # The next checkpoint of this name is a new one, and both of its files are written.
    assert "model_state_e2_b0.th" not in names(tmp_path)
    save(tmp_path, (2, 0))
    assert loaded(checkpointer) == (20.0, 20)


@pytest.mark.parametrize("state", ["model", "training"])
def test_a_lone_file_is_no_checkpoint(tmp_path: Path, state: str) -> None:
    """A kill between the two files leaves the older pair the newest."""
    checkpointer = save(tmp_path, (1, 0), (2, 0))
    (tmp_path / f"{state}_state_e2_b0.th").unlink()
    assert loaded(checkpointer) == (10.0, 10)
    assert names(tmp_path) == ["model_state_e1_b0.th", "training_state_e1_b0.th"]


def test_a_training_killed_between_its_first_two_files_begins_anew(tmp_path: Path) -> None:
    """The model's state is written last, so there is no checkpoint yet."""
    checkpointer = save(tmp_path, (1, 0))
    (tmp_path / "model_state_e1_b0.th").unlink()
    assert loaded(checkpointer) is None
    assert names(tmp_path) == []


def test_without_a_whole_checkpoint_there_is_a_clear_error(tmp_path: Path) -> None:
    """The error names each file and what to do, and everything is still there."""
    checkpointer = save(tmp_path, (1, 0), (2, 0))
    (tmp_path / "model_state_e1_b0.th").write_bytes(b"")
    (tmp_path / "training_state_e2_b0.th").write_bytes(b"PK\x03\x04")
    before = names(tmp_path)
    for _ in range(2):
        with pytest.raises(
            ConfigurationError,
            match="found none: .*training_state_e2_b0.*model_state_e1_b0.* it is empty.*begin",
        ):
            loaded(checkpointer)
    assert names(tmp_path) == before


def test_a_damaged_checkpoint_displaces_no_whole_one(tmp_path: Path) -> None:
    """After a recovery the checkpoints to keep are counted without the skipped ones."""
    checkpointer = save(tmp_path, (1, 0), (2, 0), keep_most_recent_by_count=1)
    save(tmp_path, (1, 0))
    (tmp_path / "model_state_e2_b0.th").write_bytes(b"")
    assert loaded(checkpointer) == (10.0, 10)
    checkpointer.save_checkpoint(Trainer(1, 5))  # type: ignore[arg-type]
    assert loaded(checkpointer) == (15.0, 15)
    assert names(tmp_path) == ["model_state_e1_b5.th", "training_state_e1_b5.th"]


def test_removing_a_checkpoint_removes_no_newer_one(tmp_path: Path) -> None:
    """Batch 1 is not batch 10."""
    save(tmp_path, (0, 1), (0, 10), (0, 12), keep_most_recent_by_count=2)
    assert [name for name in names(tmp_path) if name.startswith("model")] == [
        "model_state_e0_b10.th",
        "model_state_e0_b12.th",
    ]


def test_the_model_state_is_written_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the plugin, too, what a kill leaves is no checkpoint."""
    written: List[str] = []
    replace = os.replace

    def traced(source: Any, target: Any) -> None:
        replace(source, target)
        written.append(Path(target).name)

    monkeypatch.setattr(os, "replace", traced)
    save(tmp_path, (1, 0))
    states = [name for name in written if name.endswith(".th")]
    assert states == ["training_state_e1_b0.th", "model_state_e1_b0.th"]


def test_a_full_disk_leaves_the_older_checkpoints(tmp_path: Path) -> None:
    """The error names the file, no leftovers stay, and after space is made all goes on."""
    resource = pytest.importorskip("resource")
    checkpointer = save(tmp_path, (1, 0), keep_most_recent_by_count=1)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, before[1]))
    try:
        with pytest.raises(ConfigurationError, match="training_state_e2_b0.th.*write failed"):
            checkpointer.save_checkpoint(Trainer(2, 0))  # type: ignore[arg-type]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert sorted(os.listdir(tmp_path)) == ["model_state_e1_b0.th", "training_state_e1_b0.th"]
    assert loaded(checkpointer) == (10.0, 10)
    checkpointer.save_checkpoint(Trainer(2, 0))  # type: ignore[arg-type]
    assert loaded(checkpointer) == (20.0, 20)


def test_subclasses_fall_back_too(tmp_path: Path) -> None:
    """A subclass that does something around saving and loading keeps the behaviour."""

    class Counting(Checkpointer):
        """A checkpointer that counts."""

        calls = 0

        def save_checkpoint(self, trainer: Any) -> None:
            """Counts and saves."""
            self.calls += 1
            super().save_checkpoint(trainer)

        def load_checkpoint(self) -> Optional[TrainerCheckpoint]:
            """Counts and loads."""
            self.calls += 1
            return super().load_checkpoint()

    checkpointer = Counting(str(tmp_path))
    for point in ((1, 0), (2, 0)):
        checkpointer.save_checkpoint(Trainer(*point))
    (tmp_path / "model_state_e2_b0.th").write_bytes(b"")
    assert loaded(checkpointer) == (10.0, 10)
    assert checkpointer.calls == 3


def test_sharded_checkpoints_need_every_shard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each process of a training with sharded weights chooses the same checkpoint."""
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    checkpointers = []
    for rank in (0, 1):
        checkpointer = Checkpointer(str(tmp_path), keep_most_recent_by_count=None)
        checkpointer.state_is_sharded, checkpointer._rank = True, rank
        for point in ((1, 0), (2, 0), (3, 0)):
            checkpointer.save_checkpoint(Trainer(*point))  # type: ignore[arg-type]
        checkpointers.append(checkpointer)
    (tmp_path / "model_state_e3_b0_w1.th").unlink()
    (tmp_path / "training_state_e2_b0_w0.th").write_bytes(b"")
    assert [loaded(checkpointer) for checkpointer in checkpointers] == [(10.0, 10)] * 2


def test_no_checkpoint_is_no_error(tmp_path: Path) -> None:
    """For a folder without a checkpoint, `load_checkpoint` returns `None`."""
    assert Checkpointer(str(tmp_path)).load_checkpoint() is None


def test_every_machine_removes_old_checkpoints(tmp_path: Path) -> None:
    """The first process of a machine counts, whatever its rank over all machines."""
    checkpointer = Checkpointer(str(tmp_path), keep_most_recent_by_count=2)
    checkpointer._rank = 4
    for point in ((1, 0), (2, 0), (3, 0)):
        checkpointer.save_checkpoint(Trainer(*point))  # type: ignore[arg-type]
    models = [name for name in names(tmp_path) if name.startswith("model")]
    assert models == ["model_state_e2_b0.th", "model_state_e3_b0.th"]
    assert checkpointer._rank == 4


def test_a_process_that_writes_nothing_counts_checkpoints_too(tmp_path: Path) -> None:
    """All processes of a machine are due for the next checkpoint after the same batch."""

    class Silent:
        """A trainer of a process that has no state to write."""

        _epochs_completed, _batches_in_epoch_completed = 0, 4

        def get_checkpoint_state(self) -> None:
            """Returns nothing."""

    checkpointer = Checkpointer(str(tmp_path), save_every_num_batches=4)
    checkpointer._rank = 1
    trainer: Any = Silent()
    due = [checkpointer.maybe_save_checkpoint(trainer, 0, batch) for batch in (3, 4, 5)]
    assert due == [False, True, False]


@pytest.mark.parametrize("there", [{(1, 0)}, {(1, 0), (2, 4)}, set()], ids=str)
def test_machines_continue_from_a_checkpoint_that_all_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: Set[Tuple[int, int]]
) -> None:
    """A kill can come when one machine has written a checkpoint and another one has not."""
    monkeypatch.setattr(checkpoints, "is_distributed", lambda: True)
    monkeypatch.setattr(checkpoints, "gather_from_processes", lambda here: [here, there])
    checkpointer = save(tmp_path, (1, 0), (2, 0))
    if not there:
        with pytest.raises(ConfigurationError, match=r"0: \[\(1, 0\), \(2, 0\)\], 1: \[\]"):
            loaded(checkpointer)
        return
    assert loaded(checkpointer) == (10.0, 10)
    assert names(tmp_path) == ["model_state_e1_b0.th", "training_state_e1_b0.th"]
    assert (tmp_path / "model_state_e2_b0.th.damaged").exists()
