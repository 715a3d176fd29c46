"""Training a biLM on several machines, each with a folder of its own."""

import copy
import json
import os
from pathlib import Path
from typing import Any, Dict, List

import pytest
import torch
from allennlp.models import load_archive
from allennlp.training import TrainerCallback

from allennlp_elmo_plugin.io.processes import rank_of_process
from tests.support.children import needs_fork
from tests.support.language_model_experiment import language_model, train
from tests.support.machines import train_on_machines

pytestmark = needs_fork


@TrainerCallback.register("stop_machine")
class StopMachine(TrainerCallback):
    """A callback that ends the second machine after some batches, if a file says so."""

    def on_batch(  # type: ignore[override]
        self,
        trainer: Any,
        batch_inputs: Any,
        batch_outputs: Any,
        batch_metrics: Any,
        epoch: int,
        batch_number: int,
        is_training: bool,
        **kwargs: Any,
    ) -> None:
        """Ends the process as a loss of power would."""
        if is_training and (epoch, batch_number) == (1, 9) and rank_of_process() == 1:
            folder = Path(self.serialization_dir)
            if (folder.parent / "stop").exists():
                folder.with_name(f"{folder.name}_error.txt").write_text("stopped")
                os._exit(1)


def _experiment(folder: Path) -> Dict[str, Any]:
    config = language_model(folder, dropout=0.2)
    config["trainer"]["checkpointer"] = {"save_every_num_batches": 4}
    config["trainer"]["callbacks"] = ["stop_machine"]
    config["trainer"]["num_epochs"] = 2
    return config


def _weights(folder: Path) -> Dict[str, torch.Tensor]:
    return torch.load(folder / "model_state_e2_b0.th")


def _states(folder: Path) -> List[Dict[str, Any]]:
    callbacks = torch.load(folder / "training_state_e2_b0.th")["callbacks"]
    return next(state["processes"] for state in callbacks if "processes" in state)


def _equal(one: Dict[str, torch.Tensor], other: Dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


@pytest.fixture(name="trained", scope="module")
def _trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a corpus, and of a training on two machines."""
    folder = tmp_path_factory.mktemp("machines")
    folders = [folder / "first", folder / "second"]
    assert train_on_machines([_experiment(folder)] * 2, folders) == ["", ""]
    return folder


def test_machines_train_one_model(trained: Path) -> None:
    """Each ends with the same weights and losses, and with the usual two checkpoints."""
    folders = [trained / "first", trained / "second"]
    weights = [_weights(folder) for folder in folders]
    assert _equal(*weights)
    metrics = [json.loads((folder / "metrics.json").read_text()) for folder in folders]
    losses = [{key: side[key] for key in side if "loss" in key} for side in metrics]
    assert len(losses[0]) >= 6 and losses[0] == losses[1]
    for folder in folders:
        assert len(list(folder.glob("model_state_*.th"))) == 2
    archived = [load_archive(folder / "model.tar.gz").model.state_dict() for folder in folders]
    assert _equal(*archived)


def test_each_machine_has_the_states_of_all_processes(trained: Path) -> None:
    """A checkpoint of any machine can continue the training of all."""
    first, second = (_states(trained / name) for name in ("first", "second"))
    assert len(first) == len(second) == 2
    for ours, theirs in zip(first, second):
        assert torch.equal(ours["cpu"], theirs["cpu"])
        assert torch.equal(ours["streams"]["state"][0], theirs["streams"]["state"][0])
    assert not torch.equal(first[0]["streams"]["state"][0], first[1]["streams"]["state"][0])


def test_two_machines_train_like_one_with_twice_the_streams(trained: Path) -> None:
    """The losses are those of one process with as many tokens in a training step."""
    found = json.loads((trained / "first" / "metrics.json").read_text())
    config = _experiment(trained)
    config["dataset_reader"]["batch_size"] = config["data_loader"]["batch_size"] = 8
    config["data_loader"]["max_instances_in_memory"] = 8
    expected = train(config, trained / "alone")
    for key in ("best_validation_perplexity", "training_perplexity"):
        assert found[key] == pytest.approx(expected[key], rel=0.1)


def test_machines_continue_from_the_newest_checkpoint_that_all_have(trained: Path) -> None:
    """After one was lost, the training ends as if it had not stopped."""
    config = _experiment(trained)
    (trained / "stop").touch()
    folders = [trained / "stopped_first", trained / "stopped_second"]
    errors = train_on_machines([config] * 2, folders)
    assert "RuntimeError" in errors[0] and errors[1] == "stopped"
    (trained / "stop").unlink()
    # The kill could have come before the second machine wrote this.
    (folders[1] / "model_state_e1_b8.th").unlink()
    assert train_on_machines([config] * 2, folders, recover=True) == ["", ""]
    assert (folders[0] / "model_state_e1_b8.th.damaged").exists()
    for folder in folders:
        assert _equal(_weights(folder), _weights(trained / "first"))


def test_machines_need_the_same_text(tmp_path: Path) -> None:
    """A machine with other words ends the training of all with an error."""
    config = _experiment(tmp_path)
    (tmp_path / "other.txt").write_text("other words\n" * 40)
    other = {**copy.deepcopy(config), "train_data_path": str(tmp_path / "other.txt")}
    errors = train_on_machines([config, other], [tmp_path / "first", tmp_path / "second"])
    assert all("Expected one vocabulary in all processes" in error for error in errors)
