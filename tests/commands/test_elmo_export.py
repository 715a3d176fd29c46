"""Tuned weights back in bilm-tf's layout."""

import contextlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy
import pytest
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.models.archival import load_archive
from allennlp.modules.elmo import Elmo, batch_to_ids

from allennlp_elmo_plugin import ElmoBilm, ElmoOptions
from allennlp_elmo_plugin.commands.elmo_export import export_bilm
from allennlp_elmo_plugin.weights import WeightFile
from tests.archive.test_archives import built_in
from tests.support.elmo_files import elmo_arrays, elmo_options, write_elmo_files
from tests.support.tagger_experiment import tagger, train

SENTENCES = batch_to_ids([["the", "rain", "falls"], ["a", "caf\u00e9"]])
OPTIONS = ElmoOptions(((1, 4),), projection_dim=4, cell_size=6, num_layers=1)


def _read_by_allennlp(folder: Path) -> torch.Tensor:
    """The mean of the layers that AllenNLP's built-in computes from the files in a folder."""
    elmo = Elmo(str(folder / "options.json"), str(folder / "weights.hdf5"), 1, dropout=0.0)
    return elmo(SENTENCES)["elmo_representations"][0].detach()


def _run(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    (folder / ".allennlp_plugins").write_text("allennlp_elmo_plugin\n")
    command = [sys.executable, "-m", "allennlp", "elmo-export", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize("trainer", [contextlib.nullcontext, built_in])
def test_a_tuned_bilm_is_exported(tmp_path: Path, trainer: Any) -> None:
    """
    AllenNLP's built-in computes from the exported files what the archived biLM computes, which
    is no longer what it was before the training. Archives of the built-in are as good.
    """
    with trainer():
        train(tagger(tmp_path, requires_grad=True), tmp_path / "run")
    before = _read_by_allennlp(tmp_path / "elmo")
    if trainer is not built_in:
        shutil.rmtree(tmp_path / "elmo")
    done = _run(tmp_path, "run/model.tar.gz", "exported")
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().endswith("to the folder exported")
    assert "'text_field_embedder.token_embedder_elmo._encoder.bilm'" in done.stdout

    exported = _read_by_allennlp(tmp_path / "exported")
    assert (exported - before).abs().max() > 1e-3
    if trainer is not built_in:
        model: Any = load_archive(tmp_path / "run" / "model.tar.gz").model
        encoded = model.text_field_embedder.token_embedder_elmo._encoder(SENTENCES)
        archived = encoded.layers.mean(dim=0)[:, 1:-1]
        mask = encoded.mask[:, 2:]
        assert (archived[mask] - exported[mask]).abs().max() < 1e-5


def test_what_was_never_trained_comes_back(tmp_path: Path) -> None:
    """The datasets of a frozen biLM are those of its file, up to the 1 that a bias lacks there."""
    files = write_elmo_files(tmp_path / "elmo", elmo_options(), seed=4)
    bilm = ElmoBilm.from_files(*files)
    export_bilm(torch.nn.ModuleDict({"bilm": bilm}), tmp_path / "exported")
    expected = elmo_arrays(elmo_options(), seed=4)
    with h5py.File(tmp_path / "exported" / "weights.hdf5") as file:
        for name, array in expected.items():
            assert numpy.allclose(file[name][()], array, rtol=0, atol=2e-7), name


def test_a_module_around_a_bilm_names_it(tmp_path: Path) -> None:
    """With several biLMs the name of the one that is wanted, or of what holds it, is enough."""
    first, second = ElmoBilm(OPTIONS), ElmoBilm(OPTIONS)
    model = torch.nn.ModuleDict(
        {"a": torch.nn.ModuleDict({"bilm": first}), "ab": torch.nn.ModuleDict({"bilm": second})}
    )
    assert export_bilm(model, tmp_path, "a") == "a.bilm"
    with WeightFile(tmp_path / "weights.hdf5", OPTIONS) as file:
        weights = {name: value for some in file for name, value in some.items()}
    for name, value in first.state_dict().items():
        assert torch.equal(weights[name], value)


@pytest.mark.parametrize(
    "names, wanted, expected",
    [
        ([], None, "a model with one biLM, got 0.*:\n  none"),
        (["a", "b"], None, "a model with one biLM, got 2.*:\n  a\n  b\n.*--module"),
        (["a", "b"], "c", "one biLM at 'c', got 0"),
    ],
)
def test_it_must_be_clear_which_one(
    tmp_path: Path, names: list, wanted: Any, expected: str
) -> None:
    """The error lists the biLMs that there are, and nothing is written."""
    model = torch.nn.ModuleDict({name: ElmoBilm(OPTIONS) for name in names})
    with pytest.raises(ConfigurationError, match=f"(?s)Expected {expected}"):
        export_bilm(model, tmp_path / "exported", wanted)
    assert not (tmp_path / "exported").exists()


def test_rounded_weights_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A biLM of lower precision is written as it is, with a warning."""
    options = ElmoOptions(((1, 16),), projection_dim=16, cell_size=16, num_layers=1)
    bilm = ElmoBilm(options)
    bilm.reduce_precision("int8")
    export_bilm(torch.nn.ModuleDict({"bilm": bilm}), tmp_path)
    assert "'bilm' has the precision 'int8'" in caplog.text


def test_an_archive_without_a_bilm_is_told(tmp_path: Path) -> None:
    """The command says what it found, and fails."""
    config = tagger(tmp_path)
    config["dataset_reader"]["token_indexers"] = {"elmo": {"type": "single_id"}}
    embedders = config["model"]["text_field_embedder"]["token_embedders"]
    embedders["elmo"] = {"type": "embedding", "embedding_dim": 12}
    train(config, tmp_path / "run")
    done = _run(tmp_path, "run/model.tar.gz", "exported")
    assert done.returncode != 0
    assert "Expected a model with one biLM, got 0" in done.stderr
