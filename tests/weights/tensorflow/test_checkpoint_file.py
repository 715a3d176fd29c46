"""The weights of a biLM in a checkpoint, under the names of the HDF5 files."""

import shutil
from pathlib import Path
from typing import Dict

import numpy
import pytest
import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin import ElmoBilm, ElmoOptions
from allennlp_elmo_plugin.weights import WeightFile, read_softmax
from allennlp_elmo_plugin.weights.tensorflow import CheckpointFile
from tests.support.elmo_files import write_elmo_files
from tests.support.tensorflow_bundle import TENSORFLOW_DATA, write_bundle
from tests.support.tensorflow_cases import CASES

NAMES = list(CASES)
TRAINED = "trained/model.ckpt-12"


def _index(name: str) -> Path:
    return TENSORFLOW_DATA / f"{name}.index"


@pytest.mark.parametrize("name", NAMES)
def test_datasets_have_the_names_and_bits_of_hdf5_files(name: str) -> None:
    """The variables are those that an HDF5 file of the same model has, without the padding row."""
    datasets = CASES[name].datasets
    with CheckpointFile(_index(name), "weights") as file:
        assert file.names == sorted(datasets)
        assert file.problems({each: array.shape for each, array in datasets.items()}) == []
        for each, array in datasets.items():
            assert file.read(each).tobytes() == array.tobytes(), each


@pytest.mark.parametrize("name", NAMES)
def test_a_bilm_is_the_same_from_both_formats(name: str, tmp_path: Path) -> None:
    """A checkpoint gives the parameters, to the bit, that an HDF5 file of the model gives."""
    case = CASES[name]
    files = write_elmo_files(tmp_path, case.options, case.datasets)
    expected = ElmoBilm.from_files(*files)
    found = ElmoBilm.from_files(files.options_file, _index(name))
    assert found.options == expected.options
    assert found.state_dict().keys() == expected.state_dict().keys()
    for key, tensor in expected.state_dict().items():
        assert torch.equal(found.state_dict()[key], tensor), key


def test_misfits_are_named_as_in_the_checkpoint() -> None:
    """The error has the names of the variables, which the reader of a checkpoint knows."""
    options = {**CASES[TRAINED].options}
    options["lstm"] = {**options["lstm"], "n_layers": 1, "projection_dim": 2}
    with pytest.raises(ConfigurationError) as raised:
        WeightFile(_index(TRAINED), ElmoOptions.from_dict(options))
    message = str(raised.value)
    assert "mis-shaped: lm/RNN_0/rnn/multi_rnn_cell/cell_0/lstm_cell/kernel" in message
    assert "unexpected: lm/RNN_1/rnn/multi_rnn_cell/cell_1/lstm_cell/bias" in message
    assert str(_index(TRAINED)) in message


def test_a_missing_shard_is_named_for_each_variable(tmp_path: Path) -> None:
    """One error lists the variables that cannot be read, with the file that is missing."""
    shutil.copytree(TENSORFLOW_DATA / "trained", tmp_path / "model")
    shard = tmp_path / "model" / "model.ckpt-12.data-00000-of-00001"
    shard.unlink()
    with pytest.raises(ConfigurationError, match="unreadable: lm/char_embed") as raised:
        ElmoBilm.from_files(tmp_path / "model", tmp_path / "model" / "model.ckpt-12.index")
    assert str(shard) in str(raised.value)


def test_the_softmax_is_read_from_a_checkpoint() -> None:
    """The softmax of a checkpoint is read as that of an HDF5 file, and misfits are errors."""
    variables = CASES[TRAINED].variables
    weight, bias = read_softmax(_index(TRAINED), 7, 3)
    assert weight.numpy().tobytes() == variables["lm/softmax/W"].tobytes()
    assert bias.numpy().tobytes() == variables["lm/softmax/b"].tobytes()
    with pytest.raises(ConfigurationError, match=r"lm/softmax/W, expected \(8, 3\), got \(7, 3\)"):
        read_softmax(_index(TRAINED), 8, 3)
    with pytest.raises(ConfigurationError, match="missing: softmax/W"):
        read_softmax(_index("hub/variables/variables"), 7, 3)


def test_a_padding_row_with_numbers_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A module's first row of characters is ignored, with a warning if it is not zero."""
    variables: Dict[str, numpy.ndarray] = dict(CASES["hub/variables/variables"].variables)
    variables = {name: array for name, array in variables.items() if array.ndim}
    variables["bilm/char_embed"] = variables["bilm/char_embed"] + numpy.float32(1)
    with CheckpointFile(write_bundle(tmp_path / "model", variables), "weights") as file:
        assert numpy.array_equal(file.read("char_embed"), variables["bilm/char_embed"][1:])
    assert "bilm/char_embed" in caplog.text


def test_a_checkpoint_of_another_model_is_named(tmp_path: Path) -> None:
    """The error for variables of no biLM names the file."""
    index = write_bundle(tmp_path / "other", {"dense/kernel": numpy.zeros(2, "float32")})
    with pytest.raises(ConfigurationError, match="dense/kernel") as raised:
        CheckpointFile(index, "weights")
    assert str(index) in str(raised.value)
