"""Trainings that were killed before their first checkpoint go on with `--recover`."""

import json
from pathlib import Path

import pytest
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import Vocabulary
from allennlp.training import util

from .experiment import config, train


def test_an_empty_folder_is_a_training_that_begins(tmp_path: Path) -> None:
    """A kill before the config leaves the folder, or a hidden part of the config."""
    output = tmp_path / "output"
    output.mkdir()
    (output / ".config.json.x").mkdir()
    train(config(tmp_path), output, recover=True)
    assert (output / "model.tar.gz").is_file()


@pytest.mark.parametrize("content", ["", '{"model": {"ty', "{]"])
def test_a_part_of_a_config_is_written_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: str
) -> None:
    """The config that is given replaces one that is cut off, with a warning."""
    output = tmp_path / "output"
    output.mkdir()
    params = Params(config(tmp_path))
    params.to_file(str(output / "config.json"))
    expected = (output / "config.json").read_text()
    (output / "config.json").write_text(content)
    util.create_serialization_dir(params, str(output), recover=True, force=False)
    assert (output / "config.json").read_text() == expected
    assert "config.json' is cut off or damaged" in caplog.text


def test_another_config_is_still_refused(tmp_path: Path) -> None:
    """A whole config must be the same."""
    output = tmp_path / "output"
    train(config(tmp_path), output)
    with pytest.raises(ConfigurationError, match="does not match the configuration"):
        train(config(tmp_path, num_epochs=3), output, recover=True)


def test_a_folder_of_something_else_is_still_refused(tmp_path: Path) -> None:
    """A folder with files but without a config is no training."""
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / "letter.txt").touch()
    with pytest.raises(ConfigurationError, match="doesn't contain a config.json"):
        train(config(tmp_path), tmp_path / "output", recover=True)
    with pytest.raises(ConfigurationError, match="does not exist"):
        train(config(tmp_path), tmp_path / "other", recover=True)


def test_a_part_of_a_vocabulary_is_made_again(tmp_path: Path) -> None:
    """A distributed training reads the saved vocabulary, which may be cut off or missing."""
    experiment = config(tmp_path)
    output = tmp_path / "output"
    train(experiment, output)
    expected = Vocabulary.from_files(output / "vocabulary").get_token_to_index_vocabulary("tokens")
    assert len(expected) > 9
    experiment["distributed"] = {"cuda_devices": [-1, -1]}
    (output / "config.json").write_text(json.dumps(experiment))
    (output / "vocabulary" / "non_padded_namespaces.txt").unlink()
    (output / "vocabulary" / "tokens.txt").write_text("the\n")
    util.create_serialization_dir(Params(experiment), str(output), recover=True, force=False)
    found = Vocabulary.from_files(output / "vocabulary").get_token_to_index_vocabulary("tokens")
    assert found == expected


def test_a_training_in_one_process_makes_its_vocabulary_in_any_case(tmp_path: Path) -> None:
    """Half a vocabulary is replaced."""
    output = tmp_path / "output"
    train(config(tmp_path), output)
    tokens = output / "vocabulary" / "tokens.txt"
    expected = tokens.read_bytes()
    tokens.write_bytes(expected[:9])
    train(config(tmp_path), output, recover=True)
    assert tokens.read_bytes() == expected
