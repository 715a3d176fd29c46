"""Loading a trained model."""

from pathlib import Path

import pytest
import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.archive.trained_model import load_trained_model
from tests.support.tagger_experiment import tagger, train


@pytest.fixture(scope="module", name="trained")
def _trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    train(tagger(folder), folder / "run")
    return folder / "run"


def test_an_archive_and_its_folder_are_one_model(trained: Path) -> None:
    """Other weights can be named."""
    expected = load_trained_model(trained / "model.tar.gz").state_dict()
    others = {name: torch.zeros_like(weight) for name, weight in expected.items()}
    torch.save(others, trained / "zeros.th")
    found = load_trained_model(str(trained)).state_dict()
    assert all((found[name] == expected[name]).all() for name in expected)
    zeros = load_trained_model(trained, trained / "zeros.th").state_dict()
    assert not any(zeros[name].any() for name in expected)


@pytest.mark.parametrize(
    "location, problem",
    [
        ("nowhere.tar.gz", "Expected a model.tar.gz or a serialization directory at 'nowhere.tar"),
        ("empty", "Expected a whole model.tar.gz .* at 'empty', but a file is missing"),
    ],
)
def test_a_missing_model_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, location: str, problem: str
) -> None:
    """So is a folder without a model."""
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match=problem):
        load_trained_model(location)
