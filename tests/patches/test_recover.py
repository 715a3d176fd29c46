"""Trainings that `--recover` continues end where they would have."""

import errno
import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, List
from unittest import mock

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.models import load_archive

from tests.support.paths import REPOSITORY

from .experiment import config, final_weights, interrupt, train

COSINE = {"type": "cosine", "t_initial": 4}


@pytest.mark.parametrize(
    "trainer",
    [
        pytest.param({"learning_rate_scheduler": COSINE}, id="cosine"),
        pytest.param(
            {"learning_rate_scheduler": {"type": "combined", "schedulers": [[4, COSINE]]}},
            id="combined",
        ),
        pytest.param(
            {
                "learning_rate_scheduler": {
                    "type": "reduce_on_plateau",
                    "mode": "max",
                    "patience": 0,
                    "threshold": 10,
                    "threshold_mode": "abs",
                    "verbose": True,
                },
                "validation_metric": "+accuracy",
            },
            id="reduce_on_plateau",
        ),
        pytest.param(
            {
                "learning_rate_scheduler": COSINE,
                "moving_average": {"type": "exponential", "decay": 0.9},
                "callbacks": ["tensorboard"],
            },
            id="moving_average",
        ),
    ],
)
def test_recovered_training_ends_where_it_would_have(
    tmp_path: Path, trainer: Dict[str, Any]
) -> None:
    """A training that is stopped after one epoch and recovered ends with the same weights."""
    experiment = config(tmp_path, **trainer)
    output = tmp_path / "output"
    train(experiment, output)
    expected = interrupt(output)

    train(experiment, output, recover=True)

    recovered = final_weights(output)
    assert recovered.keys() == expected.keys()
    for name, weight in expected.items():
        torch.testing.assert_close(recovered[name], weight, rtol=0, atol=0)


def test_finished_training_recovers(tmp_path: Path) -> None:
    """Recovering a finished training writes its archive again."""
    experiment = config(tmp_path, learning_rate_scheduler=COSINE)
    output = tmp_path / "output"
    train(experiment, output)
    (output / "model.tar.gz").unlink()

    train(experiment, output, recover=True)

    assert (output / "model.tar.gz").is_file()


def test_command_recovers(tmp_path: Path) -> None:
    """`allennlp train --recover` works in a process whose plugin applies the patches."""
    experiment = config(tmp_path, learning_rate_scheduler=COSINE)
    (tmp_path / "experiment.json").write_text(json.dumps(experiment), encoding="utf-8")
    (tmp_path / "patches_only.py").write_text(
        "from allennlp_elmo_plugin.patches import apply_patches\n\napply_patches()\n",
        encoding="utf-8",
    )
    (tmp_path / ".allennlp_plugins").write_text("patches_only\n", encoding="utf-8")
    # AllenNLP imports allennlp_models if it can, which takes longer than the training.
    (tmp_path / "allennlp_models.py").write_text("", encoding="utf-8")
    command = [sys.executable, "-m", "allennlp", "train", "experiment.json", "-s", "output"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}

    def run(*options: str) -> None:
        finished = subprocess.run(
            [*command, *options],
            cwd=str(tmp_path),
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        assert finished.returncode == 0, finished.stdout

    run()
    expected = interrupt(tmp_path / "output")
    run("--recover")
    recovered = final_weights(tmp_path / "output")
    for name, weight in expected.items():
        torch.testing.assert_close(recovered[name], weight, rtol=0, atol=0)


class Killed(BaseException):
    """An exception in place of a kill, which no code of AllenNLP catches."""


@contextmanager
def killed_at(number: int, before: bool) -> Iterator[List[str]]:
    """Ends the training before or after it completes its file of this number, from 0."""
    completed: List[str] = []
    replace = os.replace

    def replace_or_end(source: Any, target: Any) -> None:
        if before and len(completed) == number:
            raise Killed
        replace(source, target)
        completed.append(Path(target).name)
        if not before and len(completed) > number:
            raise Killed

    with mock.patch("os.replace", replace_or_end):
        yield completed


def read_metrics(folder: Path) -> Dict[str, Any]:
    """Returns the final metrics, without times and memory."""
    metrics = json.loads((folder / "metrics.json").read_text())
    return {name: metrics[name] for name in metrics if not re.search("duration|memory", name)}


def assert_same_results(expected: Path, found: Path) -> None:
    """Compares metrics, the last checkpoint, the best weights and the archive."""
    assert read_metrics(found) == read_metrics(expected)
    assert (found / "vocabulary" / "tokens.txt").read_bytes() == (
        expected / "vocabulary" / "tokens.txt"
    ).read_bytes()
    weights = []
    for folder in (expected, found):
        archived = load_archive(folder / "model.tar.gz").model.state_dict()
        weights.append([archived, torch.load(folder / "best.th"), final_weights(folder)])
    for first, second in zip(*weights):
        assert first.keys() == second.keys()
        assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_a_kill_at_any_file_changes_nothing(tmp_path: Path, before: bool) -> None:
    """A training that ends before or after any of its files is complete recovers to the bit."""
    experiment = config(
        tmp_path,
        validation_metric="+accuracy",
        checkpointer={"save_every_num_batches": 2, "keep_most_recent_by_count": 2},
    )
    experiment["model"]["encoder"].update(num_layers=2, dropout=0.5)
    experiment["data_loader"]["shuffle"] = True
    expected = tmp_path / "expected"
    with killed_at(1000, before) as completed:
        train(experiment, expected)
    assert {"config.json", "best.th", "metrics.json", "model.tar.gz"} <= set(completed)
    # The metrics of an epoch's training cover its rest, if it is recovered within it.
    checkpoints = [place for place, name in enumerate(completed) if "model_state_e1_b2" in name]
    for number in range(len(completed)):
        output = tmp_path / f"output_{number}"
        with pytest.raises(Killed), killed_at(number, before):
            train(experiment, output)
        train(experiment, output, recover=True)
        within_last_epoch = checkpoints[0] < number + (not before) <= checkpoints[0] + 3
        if not within_last_epoch:
            assert_same_results(expected, output)
        assert not list(output.glob("*.damaged"))


def test_the_best_weights_survive_a_kill_after_the_checkpoint(tmp_path: Path) -> None:
    """AllenNLP removes `best.th` before it links it to the checkpoint."""
    experiment = config(tmp_path)
    output, expected = tmp_path / "output", tmp_path / "expected"
    train(experiment, expected)
    train(experiment, output)
    for name in ("best.th", "model.tar.gz", "metrics.json"):
        (output / name).unlink()

    train(experiment, output, recover=True)

    assert_same_results(expected, output)


def test_lost_best_weights_are_told_before_the_training_goes_on(tmp_path: Path) -> None:
    """The error names the file and what to do, if no checkpoint has the best weights."""
    experiment = config(tmp_path, validation_metric="-accuracy", optimizer={"type": "sgd", "lr": 2})
    output = tmp_path / "output"
    train(experiment, output)
    assert json.loads((output / "metrics.json").read_text())["best_epoch"] == 0
    (output / "best.th").write_bytes(b"")

    with pytest.raises(ConfigurationError, match="best.th', but it is empty.*Put back a copy"):
        train(experiment, output, recover=True)


def test_a_folder_can_be_moved(tmp_path: Path) -> None:
    """A recovered training reads the best weights of its folder, not of the former one."""
    experiment = config(tmp_path, validation_metric="-accuracy", optimizer={"type": "sgd", "lr": 2})
    train(experiment, tmp_path / "expected")
    train(experiment, tmp_path / "former")
    (tmp_path / "former").rename(tmp_path / "output")

    train(experiment, tmp_path / "output", recover=True)

    assert_same_results(tmp_path / "expected", tmp_path / "output")


def test_a_training_that_stopped_early_stays_stopped(tmp_path: Path) -> None:
    """Recovering it trains no further epoch."""
    experiment = config(
        tmp_path, validation_metric="-accuracy", patience=1, optimizer={"type": "sgd", "lr": 2}
    )
    experiment["trainer"]["num_epochs"] = 9
    train(experiment, tmp_path / "expected")
    train(experiment, tmp_path / "output")
    epochs = sorted(path.name for path in (tmp_path / "output").glob("metrics_epoch_*.json"))
    assert len(epochs) < 9

    train(experiment, tmp_path / "output", recover=True)

    found = sorted(path.name for path in (tmp_path / "output").glob("metrics_epoch_*.json"))
    assert found == epochs
    assert read_metrics(tmp_path / "output") == read_metrics(tmp_path / "expected")


def test_the_interval_of_validation_stays(tmp_path: Path) -> None:
    """The epochs that are validated are the same after a recovery."""
    experiment = config(
        tmp_path, callbacks=[{"type": "should_validate_callback", "validation_interval": 2}]
    )
    train(experiment, tmp_path / "expected")
    train(experiment, tmp_path / "output")
    interrupt(tmp_path / "output")

    train(experiment, tmp_path / "output", recover=True)

    assert "best_validation_loss" in read_metrics(tmp_path / "expected")
    found = read_metrics(tmp_path / "output")
    assert found["best_epoch"] == read_metrics(tmp_path / "expected")["best_epoch"]
    assert "validation_loss" not in found


def test_a_full_disk_ends_a_training_that_recovers(tmp_path: Path) -> None:
    """The error says what to do, and after it is done the numbers are those of an unbroken run."""
    experiment = config(tmp_path)
    train(experiment, tmp_path / "expected")

    write = torch.save
    full = mock.Mock(side_effect=OSError(errno.ENOSPC, "No space left on device"))

    def save_to_full_disk(content: Any, file: Any) -> None:
        if isinstance(content, dict) and content.get("epochs_completed") == 2:
            full()
        write(content, file)

    error = pytest.raises(ConfigurationError, match="No space left.*allennlp train --recover")
    with error, mock.patch("torch.save", save_to_full_disk):
        train(experiment, tmp_path / "output")
    train(experiment, tmp_path / "output", recover=True)
    assert_same_results(tmp_path / "expected", tmp_path / "output")
