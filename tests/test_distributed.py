"""Training in two processes, moved, copied and stopped: with every cache and initial state."""

import copy
import io
import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict

import pytest
import torch
from allennlp.common import Params
from allennlp.modules.elmo import batch_to_ids

from allennlp_elmo_plugin import ElmoTokenEmbedder
from tests.support.elmo_files import elmo_options, write_elmo_files
from tests.support.language_model_experiment import language_model
from tests.support.tagger_experiment import final_metrics, tagger, train

BATCH = batch_to_ids([["the", "rain", "falls"], ["a", "caf\u00e9"]])

# One of each kind of initial state, word cache, activation cache and mix.
EMBEDDERS: Dict[str, Dict[str, Any]] = {
    "carry, trained": {"requires_grad": True},
    "warm, trained, one layer": {
        "requires_grad": True,
        "scalar_mix": {"type": "fixed", "layers": 1},
        "encoder": {"type": "bilm", "initial_state": {"type": "warm"}},
    },
    "warm, on disk": {
        "encoder": {"type": "bilm", "initial_state": {"type": "warm"}},
        "activation_cache": {"type": "hdf5", "path": "kept"},
    },
    "zero, int8, nothing kept": {
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
    """What `allennlp train` says of a training in two processes."""
    config = {**config, "distributed": {"cuda_devices": [-1, -1]}}
    (folder / "config.json").write_text(json.dumps(config))
    command = [sys.executable, "-m", "allennlp", "train", "config.json", "-s", output]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stderr + done.stdout


def test_two_processes_train(folder: Path) -> None:
    """
    A distributed training on the CPU, of a model with one embedder of each kind, ends with an
    archive. A second one reads from the disk all that the two processes of the first have kept.
    """
    config = tagger(folder, options=OPTIONS)
    del config["trainer"]["cuda_device"]
    embedders = config["model"]["text_field_embedder"]["token_embedders"]
    indexers = config["dataset_reader"]["token_indexers"]
    plain, indexer = embedders.pop("elmo"), indexers.pop("elmo")
    for number, said in enumerate(EMBEDDERS.values()):
        embedders[f"elmo_{number}"] = {**plain, **said}
        indexers[f"elmo_{number}"] = indexer
    config["model"]["encoder"]["input_size"] = 32 * len(EMBEDDERS)
    _in_two_processes(folder, config, "first")
    said = _in_two_processes(folder, config, "second")
    assert "0 were computed" in said + (folder / "second" / "out.log").read_text()
    metrics = final_metrics(folder / "second")
    assert metrics == pytest.approx(final_metrics(folder / "first"), abs=1e-6)
    assert 0 < metrics["training_loss"] < float("inf")
    assert (folder / "second" / "model.tar.gz").is_file()


@pytest.mark.parametrize("name", ["warm, trained, one layer", "warm, on disk"])
def test_a_stopped_training_ends_like_an_unbroken_one(folder: Path, name: str) -> None:
    """With a pure initial state `--recover` loses nothing."""
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


def _embedder(folder: Path, name: str) -> torch.nn.Module:
    files = write_elmo_files(folder / "elmo", elmo_options(**OPTIONS), seed=3)
    config = {"dropout": 0.0, **files._asdict(), **EMBEDDERS[name]}
    return ElmoTokenEmbedder.from_params(Params(copy.deepcopy(config)))


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
def test_a_copy_is_as_good(folder: Path, name: str, moved: Any, is_used: bool) -> None:
    """A copy made before the first batch or after gives the vectors that the original gives."""
    embedder = _embedder(folder, name)
    with torch.no_grad():
        if is_used:
            embedder(BATCH)
        twin = moved(embedder)
        # Of a module that is moved, the twin is the module itself, which carries its state on.
        expected = copy.deepcopy(twin)(BATCH) if twin is embedder else embedder(BATCH)
        assert torch.allclose(twin(BATCH), expected, atol=1e-6)


@pytest.mark.parametrize("name", list(EMBEDDERS))
def test_every_buffer_can_be_sent(folder: Path, name: str) -> None:
    """Gloo, by which a distributed training on the CPU sends them, knows no int16."""
    assert torch.int16 not in {buffer.dtype for buffer in _embedder(folder, name).buffers()}


def test_a_language_model_trains_in_two_processes(folder: Path) -> None:
    """Each reads its share of the corpus with a worker, and carries its own streams on."""
    config = language_model(folder, dropout=0.0)
    config["data_loader"]["num_workers"] = 1
    del config["trainer"]["cuda_device"]
    _in_two_processes(folder, config, "run")
    metrics = json.loads((folder / "run" / "metrics.json").read_text())
    assert 1 < metrics["best_validation_perplexity"] < 15
    assert (folder / "run" / "model.tar.gz").is_file()
