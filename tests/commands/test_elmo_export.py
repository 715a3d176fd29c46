"""The command `allennlp elmo-export`."""

import contextlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from allennlp.models.archival import load_archive
from allennlp.modules.elmo import batch_to_ids

from allennlp_elmo_plugin import SentenceBatch
from tests.archive.test_archives import built_in
from tests.support.builtin import BuiltInElmo
from tests.support.run_command import run_command
from tests.support.tagger_experiment import tagger, train

SENTENCES = batch_to_ids([["the", "rain", "falls"], ["a", "caf\u00e9"]])


def _read_by_allennlp(folder: Path) -> torch.Tensor:
    """The mean of the layers that AllenNLP's built-in computes from the files in a folder."""
    elmo = BuiltInElmo(str(folder / "options.json"), str(folder / "weights.hdf5"), 1, dropout=0.0)
    return elmo(SENTENCES)["elmo_representations"][0].detach()


@pytest.mark.parametrize("trainer", [contextlib.nullcontext, built_in])
def test_a_fine_tuned_bilm_is_exported(
    tmp_path: Path,
    trainer: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """
    AllenNLP's built-in computes from the exported files what the archived biLM computes.

    The biLM differs from the one that the training started with. An archive that the built-in
    trained is exported as well.
    """
    with trainer():
        train(tagger(tmp_path, requires_grad=True), tmp_path / "run")
    before = _read_by_allennlp(tmp_path / "elmo")
    if trainer is not built_in:
        shutil.rmtree(tmp_path / "elmo")
    run_command(tmp_path, monkeypatch, "elmo-export", "run/model.tar.gz", "exported")
    output = capsys.readouterr().out
    assert output.rstrip().endswith("to the folder exported")
    assert "'text_field_embedder.token_embedder_elmo._elmo._elmo_lstm'" in output

    exported = _read_by_allennlp(tmp_path / "exported")
    assert (exported - before).abs().max() > 1e-3
    if trainer is not built_in:
        model: Any = load_archive(tmp_path / "run" / "model.tar.gz").model
        encoded = model.text_field_embedder.token_embedder_elmo.encoder(
            SentenceBatch.from_padded(SENTENCES, 50)
        )
        archived = encoded.layers.mean(dim=0)[:, 1:-1]
        mask = encoded.mask[:, 2:]
        assert (archived[mask] - exported[mask]).abs().max() < 1e-5


def test_an_archive_without_a_bilm_is_an_error(tmp_path: Path) -> None:
    """The program ends with status 1, and a message that there is no biLM."""
    config = tagger(tmp_path)
    config["dataset_reader"]["token_indexers"] = {"elmo": {"type": "single_id"}}
    embedders = config["model"]["text_field_embedder"]["token_embedders"]
    embedders["elmo"] = {"type": "embedding", "embedding_dim": 12}
    train(config, tmp_path / "run")
    (tmp_path / ".allennlp_plugins").write_text("allennlp_elmo_plugin\n")
    command = [sys.executable, "-m", "allennlp", "elmo-export", "run/model.tar.gz", "exported"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    expected = "allennlp elmo-export: error: Expected a model with one biLM, got 0"
    assert f"\n{expected}" in done.stderr
