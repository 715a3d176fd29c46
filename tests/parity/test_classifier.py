"""Models that take an `Elmo` from a config train, and are archived, as with AllenNLP's class."""

import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, ContextManager, Dict, Iterator

import pytest
import torch
from allennlp.commands.evaluate import evaluate_from_archive
from allennlp.models.archival import load_archive

from allennlp_elmo_plugin import Elmo, ZeroState
from tests.support.builtin import BuiltInElmo, built_in
from tests.support.classifier_experiment import classifier
from tests.support.tagger_experiment import epoch_metrics, train

TOLERANCE = 1e-5

Side = Callable[[], ContextManager[None]]

SECTIONS: Dict[str, Dict[str, Any]] = {
    "defaults": {},
    "trained, normalized": {"requires_grad": True, "do_layer_norm": True},
    "fixed mix, no dropout": {"scalar_mix_parameters": [0.5, 1.0, -1.0], "dropout": 0.0},
}


@pytest.fixture(name="sizes", autouse=True)
def _sizes() -> None:
    """Overrides the folder's own: other tests train with both sizes. Registers the model."""
    pytest.importorskip("allennlp_models.classification")


def _evaluate(folder: Path) -> Dict[str, Any]:
    archive, data = str(folder / "run" / "model.tar.gz"), str(folder / "dev.jsonl")
    return evaluate_from_archive(archive, data, batch_size=4)


@contextmanager
def _plugin() -> Iterator[None]:
    """Changes nothing: the plugin's classes are in place."""
    yield


@pytest.mark.parametrize("name", list(SECTIONS))
def test_every_epoch_and_the_archive_are_those_of_the_built_in(tmp_path: Path, name: str) -> None:
    """Metrics after each epoch, and the parameters in the archive, agree with AllenNLP's class."""
    config = classifier(tmp_path, **SECTIONS[name])
    with built_in():
        train(config, tmp_path / "expected")
        theirs = load_archive(tmp_path / "expected").model
    train(config, tmp_path / "found")
    ours = load_archive(tmp_path / "found").model
    assert (type(ours._elmo), type(theirs._elmo)) == (Elmo, BuiltInElmo)
    expected, found = epoch_metrics(tmp_path / "expected"), epoch_metrics(tmp_path / "found")
    assert len(found) == len(expected) == 3
    for epoch, metrics in enumerate(expected):
        assert len(metrics) >= 6
        assert found[epoch] == pytest.approx(metrics, abs=TOLERANCE)
    left, right = ours.state_dict(), theirs.state_dict()
    assert list(left) == list(right)
    for key, value in right.items():
        assert torch.allclose(left[key], value, rtol=0, atol=TOLERANCE), key


@pytest.mark.parametrize("saved, loaded", [(built_in, _plugin), (_plugin, built_in)])
def test_an_archive_goes_both_ways(tmp_path: Path, saved: Side, loaded: Side) -> None:
    """An archive of one class is evaluated the same with the other."""
    with saved():
        train(classifier(tmp_path, requires_grad=True), tmp_path / "run")
        expected = _evaluate(tmp_path)
    with loaded():
        assert _evaluate(tmp_path) == pytest.approx(expected, abs=TOLERANCE)


def test_an_archive_needs_no_files(tmp_path: Path) -> None:
    """An archive is loaded when the biLM's files are gone."""
    train(classifier(tmp_path), tmp_path / "run")
    expected = _evaluate(tmp_path)
    shutil.rmtree(tmp_path / "elmo")
    assert _evaluate(tmp_path) == expected


def test_components_are_named_in_the_section(tmp_path: Path) -> None:
    """The section takes the components that the token embedder takes."""
    encoder = {"type": "bilm", "initial_state": {"type": "zero"}}
    train(classifier(tmp_path, encoder=encoder), tmp_path / "run")
    found = load_archive(tmp_path / "run").model._elmo.encoder
    assert isinstance(found.initial_state, ZeroState)
