"""Training in two processes, recovery and copies work with every component."""

import copy
import io
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict

import pytest
import torch
from allennlp.modules.elmo import batch_to_ids

from tests.support.elmo_files import elmo_options, write_elmo_files
from tests.support.embedders import embedder
from tests.support.language_model_experiment import language_model
from tests.support.tagger_experiment import epoch_metrics, final_metrics, tagger, train

BATCH = batch_to_ids([["the", "rain", "falls"], ["a", "caf\u00e9"]])

# Every initial state, word cache, activation cache and scalar mix.
EMBEDDERS: Dict[str, Dict[str, Any]] = {
    "carry, trained": {"requires_grad": True},
    "warm, trained, one layer": {
        "requires_grad": True,
        "scalar_mix": {"type": "fixed", "layers": 1},
        "encoder": {"type": "bilm", "initial_state": {"type": "warm"}},
    },
    "warm, on disk": {
        "encoder": {"type": "bilm", "initial_state": {"type": "warm"}},
        "activation_cache": {"type": "hdf5", "path": "activations"},
    },
    "zero, int8, nothing cached": {
        "encoder": {"type": "bilm", "precision": "int8", "initial_state": {"type": "zero"}},
        "word_cache": {"type": "none"},
    },
    "zero, bfloat16": {
        "encoder": {"type": "bilm", "precision": "bfloat16", "initial_state": {"type": "zero"}},
    },
    "carry, word list": {"vocab_to_cache": ["@@PADDING@@", "the", "rain"]},
}
OPTIONS = {"filters": [[1, 16], [2, 16]], "projection_dim": 16, "cell_size": 32}


@pytest.fixture(name="folder", autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".allennlp_plugins").write_text("allennlp_elmo_plugin\n")
    return tmp_path


def _in_two_processes(folder: Path, config: Dict[str, Any], output: str) -> str:
    """
    Runs `allennlp train` in two processes and returns its output.

    The plugin is loaded if `folder` has the list of plugins that names it.
    """
    config = {**config, "distributed": {"cuda_devices": [-1, -1]}}
    config["trainer"] = {**config["trainer"]}
    config["trainer"].pop("cuda_device", None)
    (folder / "config.json").write_text(json.dumps(config))
    command = [sys.executable, "-m", "allennlp", "train", "config.json", "-s", output]
    # The user's own list of plugins is in the home folder.
    environment = {**os.environ, "HOME": str(folder / "home")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stderr + done.stdout


def test_embedders_train_in_two_processes(folder: Path) -> None:
    """
    A distributed training of one embedder of each kind runs on the CPU and writes an archive.

    A second training finds everything that the processes of the first have cached on disk.
    """
    config = tagger(folder, options=OPTIONS)
    embedders = config["model"]["text_field_embedder"]["token_embedders"]
    indexers = config["dataset_reader"]["token_indexers"]
    plain, indexer = embedders.pop("elmo"), indexers.pop("elmo")
    for number, parameters in enumerate(EMBEDDERS.values()):
        embedders[f"elmo_{number}"] = {**plain, **parameters}
        indexers[f"elmo_{number}"] = indexer
    config["model"]["encoder"]["input_size"] = 32 * len(EMBEDDERS)
    _in_two_processes(folder, config, "first")
    output = _in_two_processes(folder, config, "second")
    assert "0 were computed" in output + (folder / "second" / "out.log").read_text()
    metrics = final_metrics(folder / "second")
    assert metrics == pytest.approx(final_metrics(folder / "first"), abs=1e-6)
    assert 0 < metrics["training_loss"] < float("inf")
    assert (folder / "second" / "model.tar.gz").is_file()


def test_two_processes_train_what_they_train_with_the_built_in(folder: Path) -> None:
    """Every epoch of a distributed training has the metrics that it has without the plugin."""
    config = tagger(folder, options=OPTIONS, requires_grad=True, projection_dim=6, dropout=0.3)
    output = _in_two_processes(folder, config, "found")
    assert "Plugin allennlp_elmo_plugin available" in output
    (folder / ".allennlp_plugins").unlink()
    output = _in_two_processes(folder, config, "expected")
    assert "Plugin allennlp_elmo_plugin" not in output
    expected, found = (epoch_metrics(folder / side) for side in ("expected", "found"))
    assert len(found) == len(expected) == 3
    for ours, theirs in zip(found, expected):
        assert len(theirs) >= 6
        assert ours == pytest.approx(theirs, abs=1e-5)


@pytest.mark.parametrize("name", ["warm, trained, one layer", "warm, on disk"])
def test_a_recovered_training_ends_like_an_uninterrupted_one(folder: Path, name: str) -> None:
    """Training with `--recover` and the `warm` state has the metrics of one in a piece."""
    config = tagger(folder, options=OPTIONS, **EMBEDDERS[name])
    train(config, folder / "whole")
    once = {**config, "trainer": {**config["trainer"], "num_epochs": 1}}
    train(once, folder / "stopped")
    (folder / "stopped" / "config.json").write_text((folder / "whole" / "config.json").read_text())
    for leftover in ("metrics.json", "model.tar.gz"):
        (folder / "stopped" / leftover).unlink()
    train(config, folder / "stopped", recover=True)
    expected = final_metrics(folder / "whole")
    assert final_metrics(folder / "stopped") == pytest.approx(expected, abs=1e-6)


def _embedder_of(folder: Path, name: str) -> torch.nn.Module:
    files = write_elmo_files(folder / "elmo", elmo_options(**OPTIONS), seed=3)
    return embedder(files, **EMBEDDERS[name])


def _saved(module: torch.nn.Module) -> torch.nn.Module:
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    # Newer versions of torch load modules only when told to.
    safe = {} if torch.__version__.startswith("1.") else {"weights_only": False}
    return torch.load(file, **safe)


@pytest.mark.parametrize("name", list(EMBEDDERS))
@pytest.mark.parametrize(
    "moved",
    [
        copy.deepcopy,
        lambda module: pickle.loads(pickle.dumps(module)),
        _saved,
        lambda module: module.to("cpu").double().float(),
    ],
    ids=["deepcopy", "pickle", "torch.save", "to"],
)
@pytest.mark.parametrize("is_used", [False, True])
def test_a_copy_gives_the_same_vectors(folder: Path, name: str, moved: Any, is_used: bool) -> None:
    """A copy gives the original's vectors, whether made before or after the first batch."""
    original = _embedder_of(folder, name)
    with torch.no_grad():
        if is_used:
            original(BATCH)
        copied = moved(original)
        # `to` returns the module itself, which carries its state on.
        expected = copy.deepcopy(copied)(BATCH) if copied is original else original(BATCH)
        assert torch.allclose(copied(BATCH), expected, atol=1e-6)


@pytest.mark.parametrize("name", list(EMBEDDERS))
def test_every_buffer_can_be_sent(folder: Path, name: str) -> None:
    """No buffer is int16, which Gloo cannot send in a distributed training on the CPU."""
    assert torch.int16 not in {buffer.dtype for buffer in _embedder_of(folder, name).buffers()}


def test_a_language_model_trains_in_two_processes(folder: Path) -> None:
    """Each process reads its share of the corpus with a worker, and writes one archive."""
    config = language_model(folder, dropout=0.0)
    config["data_loader"]["num_workers"] = 1
    _in_two_processes(folder, config, "run")
    metrics = json.loads((folder / "run" / "metrics.json").read_text())
    assert 1 < metrics["best_validation_perplexity"] < 15
    assert (folder / "run" / "model.tar.gz").is_file()
