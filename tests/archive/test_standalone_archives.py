"""Archives work when the files that they were trained from are gone."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict

import pytest
from allennlp.commands.evaluate import evaluate_from_archive
from allennlp.models.archival import load_archive
from allennlp.predictors import Predictor

from tests.support.tagger_experiment import final_metrics, tagger, train

EMBEDDERS: Dict[str, Dict[str, Any]] = {
    "carry": {},
    "warm": {"encoder": {"type": "bilm", "initial_state": {"type": "warm"}}},
    "zero, trained and projected": {
        "requires_grad": True,
        "projection_dim": 6,
        "encoder": {"type": "bilm", "initial_state": {"type": "zero"}},
    },
    "a word list, its words in the archive": {"vocab_to_cache": ["@@PADDING@@", "the", "rain"]},
    "an activation cache": {
        "encoder": {"type": "bilm", "initial_state": {"type": "warm"}},
        "activation_cache": {"type": "hdf5", "path": "cache"},
    },
}


@pytest.fixture(name="folder", autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _metrics(folder: Path, archive: Path) -> Dict[str, float]:
    return evaluate_from_archive(str(archive), str(folder / "dev.txt"), batch_size=4)


@pytest.mark.parametrize("name", list(EMBEDDERS))
def test_an_archive_is_evaluated_without_its_files(folder: Path, name: str) -> None:
    """The metrics are those that the archive has with options and weights."""
    train(tagger(folder, **EMBEDDERS[name]), folder / "run")
    archive = folder / "run" / "model.tar.gz"
    before = _metrics(folder, archive)
    for gone in ("elmo", "cache"):
        shutil.rmtree(folder / gone, ignore_errors=True)
    # Cached layers were computed in other batches, so rounded in another way.
    assert _metrics(folder, archive) == pytest.approx(before, abs=1e-6)
    assert before["loss"] > 0
    # The folder of the training is as good as the archive.
    assert _metrics(folder, folder / "run") == pytest.approx(before, abs=1e-6)


def test_an_archive_in_lower_precision_is_evaluated_without_its_files(folder: Path) -> None:
    """Rounded weights that are loaded round to the same numbers."""
    options = {"filters": [[1, 16], [2, 16]], "projection_dim": 16, "cell_size": 32}
    encoder = {"type": "bilm", "precision": "int8", "initial_state": {"type": "warm"}}
    config = tagger(folder, options=options, encoder=encoder)
    train(config, folder / "run")
    before = _metrics(folder, folder / "run" / "model.tar.gz")
    shutil.rmtree(folder / "elmo")
    assert _metrics(folder, folder / "run" / "model.tar.gz") == pytest.approx(before, abs=1e-4)


def test_files_of_components_may_be_gone_as_well(folder: Path) -> None:
    """The words of a vocabulary file and of a warm-up text are in the archive."""
    (folder / "words.txt").write_text("the\nrain\nfalls\n", encoding="utf-8")
    (folder / "text.txt").write_text("the rain falls\na rain\n", encoding="utf-8")
    config = tagger(
        folder,
        word_cache={"type": "vocabulary", "file": "words.txt"},
        encoder={"type": "bilm", "initial_state": {"type": "warm", "sentences": "text.txt"}},
    )
    train(config, folder / "run")
    before = _metrics(folder, folder / "run" / "model.tar.gz")
    for name in ("words.txt", "text.txt"):
        (folder / name).unlink()
    shutil.rmtree(folder / "elmo")
    assert _metrics(folder, folder / "run" / "model.tar.gz") == before


def test_two_bilms_in_one_model_keep_their_own_options(folder: Path) -> None:
    """Each finds the options that were written beside the name of its own file."""
    config = tagger(folder)
    embedders = config["model"]["text_field_embedder"]["token_embedders"]
    other = tagger(folder / "other", options={"projection_dim": 10, "cell_clip": 0.3})
    other = other["model"]["text_field_embedder"]["token_embedders"]["elmo"]
    embedders["second"] = other
    config["dataset_reader"]["token_indexers"]["second"] = {"type": "elmo_characters"}
    config["model"]["encoder"]["input_size"] = 12 + 20
    train(config, folder / "run")
    before = _metrics(folder, folder / "run" / "model.tar.gz")
    shutil.rmtree(folder / "elmo")
    shutil.rmtree(folder / "other")
    assert _metrics(folder, folder / "run" / "model.tar.gz") == before


def test_no_network_is_asked_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive whose files were URLs loads and predicts without fetching them."""
    config = tagger(folder)
    train(config, folder / "run")
    url = "https://example.invalid/elmo_"
    names = config["model"]["text_field_embedder"]["token_embedders"]["elmo"]
    content = (folder / "run" / "config.json").read_text()
    for key, name in (("options_file", "options.json"), ("weight_file", "weights.hdf5")):
        content = content.replace(json.dumps(names[key]), json.dumps(url + name))
    assert url in content
    # As if it had been trained from there.
    fetched = []

    def fetch(location: Any, **_: Any) -> str:
        fetched.append(str(location))
        return str(location).replace(url, str(folder / "elmo") + "/")

    monkeypatch.setattr("allennlp_elmo_plugin.weights.locations.cached_path", fetch)
    config = json.loads(content)
    train(config, folder / "again")
    assert fetched
    fetched.clear()
    archive = load_archive(folder / "again" / "model.tar.gz")
    assert not fetched
    predictor = Predictor.from_archive(archive, "elmo_tagger")
    assert len(predictor.predict_json({"tokens": ["the", "rain"]})["tags"]) == 2


def test_a_training_is_recovered_without_the_files(folder: Path) -> None:
    """A checkpoint has the weights, so a recovered training ends as it would have."""
    encoder = {"type": "bilm", "initial_state": {"type": "warm"}}
    config = tagger(folder, encoder=encoder, requires_grad=True)
    train(config, folder / "whole")
    once = {**config, "trainer": {**config["trainer"], "num_epochs": 1}}
    train(once, folder / "stopped")
    (folder / "stopped" / "config.json").write_text((folder / "whole" / "config.json").read_text())
    for leftover in ("metrics.json", "model.tar.gz"):
        (folder / "stopped" / leftover).unlink()
    shutil.rmtree(folder / "elmo")
    train(config, folder / "stopped", recover=True)
    assert final_metrics(folder / "stopped") == final_metrics(folder / "whole")


def test_other_weights_can_still_be_asked_for(folder: Path) -> None:
    """Another options file in the overrides is read, as with the built-in."""
    train(tagger(folder), folder / "run")
    key = "model.text_field_embedder.token_embedders.elmo.options_file"
    with pytest.raises(Exception, match="'options_file' names 'nowhere.json'"):
        load_archive(folder / "run" / "model.tar.gz", overrides=json.dumps({key: "nowhere.json"}))


def test_the_command_evaluates_without_the_files(folder: Path) -> None:
    """`allennlp evaluate` runs in a process that never saw the files."""
    train(tagger(folder), folder / "run")
    shutil.rmtree(folder / "elmo")
    (folder / ".allennlp_plugins").write_text("allennlp_elmo_plugin\n")
    command = [sys.executable, "-m", "allennlp", "evaluate", "run/model.tar.gz", "dev.txt"]
    subprocess.run([*command, "--output-file", "metrics.json"], check=True, capture_output=True)
    found = json.loads((folder / "metrics.json").read_text())
    assert found["loss"] == pytest.approx(_metrics(folder, folder / "run")["loss"], abs=1e-2)
