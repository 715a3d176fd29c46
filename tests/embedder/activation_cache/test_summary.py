"""The log's line on the activation cache at the end of a training."""

from pathlib import Path
from typing import Any, Dict

import h5py
from allennlp.commands.train import train_model
from allennlp.common import Params
from allennlp.training import gradient_descent_trainer

from allennlp_elmo_plugin import ActivationCacheSummary
from allennlp_elmo_plugin.patches.default_callbacks import add_default_callbacks
from tests.support.tagger_experiment import tagger

TRAINING, VALIDATION = 12, 9


def _experiment(folder: Path, num_epochs: int) -> Params:
    embedder: Dict[str, Any] = {
        "encoder": {"type": "bilm", "initial_state": {"type": "zero"}},
        "activation_cache": {"type": "hdf5", "path": str(folder / "cache")},
    }
    config = tagger(folder, **embedder)
    config["trainer"]["num_epochs"] = num_epochs
    return Params(config)


def test_a_training_ends_with_a_summary(tmp_path: Path) -> None:
    """The callback, which no config names, writes all sentences and counts them."""
    model = train_model(_experiment(tmp_path, 1), str(tmp_path / "first"))
    written = set()
    # The model still lives, so it was the callback that wrote the last sentences.
    for path in tmp_path.glob("cache/*/*.hdf5"):
        with h5py.File(path, "r") as file:
            written |= {digest.tobytes() for digest in file["digests"][()]}
    found = TRAINING + VALIDATION - len(written)
    log = (tmp_path / "first" / "out.log").read_text()
    assert f"had {found} of 21 sentences" in log
    assert f"{len(written)} were computed" in log
    assert model is not None

    train_model(_experiment(tmp_path, 2), str(tmp_path / "second"))
    log = (tmp_path / "second" / "out.log").read_text()
    assert "had 42 of 42 sentences (100.0%); 0 were computed. It holds 0." in log


def test_it_is_added_once() -> None:
    """Importing the plugin twice leaves one summary at the end."""
    add_default_callbacks(ActivationCacheSummary)
    assert gradient_descent_trainer.DEFAULT_CALLBACKS.count(ActivationCacheSummary) == 1


def test_a_training_without_a_cache_has_no_summary(tmp_path: Path) -> None:
    """Without an activation cache, the log does not mention one."""
    config = tagger(tmp_path)
    config["trainer"]["num_epochs"] = 1
    train_model(Params(config), str(tmp_path / "run"))
    log = (tmp_path / "run" / "out.log").read_text()
    assert "Epoch duration" in log and "The activation cache" not in log
