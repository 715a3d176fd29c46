"""The options of a checkpoint's biLM."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Dict

import numpy
import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin import ElmoBilm, ElmoOptions
from allennlp_elmo_plugin.weights import read_options
from tests.support.tensorflow_bundle import TENSORFLOW_DATA, write_bundle
from tests.support.tensorflow_cases import CASES

HUB = "hub/variables/variables"
NAMES = [name for name in CASES if name != HUB]


def _without_options(name: str, folder: Path) -> Path:
    """Copies a checkpoint without its options, and returns the path of its index."""
    source = TENSORFLOW_DATA / name
    for path in source.parent.glob(source.name + ".*"):
        shutil.copy(path, folder)
    return folder / f"{source.name}.index"


@pytest.mark.parametrize("name", CASES)
def test_shapes_give_the_sizes(name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Without an options file, the sizes are right, and a warning names what is assumed."""
    index = _without_options(name, tmp_path)
    found = ElmoBilm.from_files(index, index).options
    expected = asdict(ElmoOptions.from_dict(CASES[name].options))
    # The projections depend on the variables that are there.
    expected.update(state_projection=found.state_projection, word_projection=found.word_projection)
    assert asdict(found) == expected
    for part in (str(index), "activation relu", "cell_clip 3.0", "max_characters_per_token 50"):
        assert part in caplog.text


@pytest.mark.parametrize("name", NAMES)
def test_the_options_beside_a_checkpoint_are_preferred(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The options file that bilm-tf saves is read, and nothing is assumed."""
    index = _without_options(name, tmp_path)
    options = {**CASES[name].options}
    options["char_cnn"] = {**options["char_cnn"], "activation": "tanh"}
    (tmp_path / "options.json").write_text(json.dumps(options))
    assert read_options(index) == ElmoOptions.from_dict(options)
    assert caplog.text == ""


def _remove(variables: Dict[str, numpy.ndarray], part: str) -> None:
    for name in [name for name in variables if part in name]:
        del variables[name]


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        ("RNN_0/rnn/multi_rnn_cell/cell_0", "Cell0/LSTMCell/W_0' with 2 dimensions, got no such"),
        ("W_cnn_0", "at least one"),
    ],
)
def test_variables_without_sizes(tmp_path: Path, part: str, reason: str) -> None:
    """The error says which variable is missing, and that an options file is missing too."""
    variables = dict(CASES["trained/model.ckpt-12"].variables)
    _remove(variables, part)
    variables = {name: array for name, array in variables.items() if array.ndim}
    index = write_bundle(tmp_path / "model", variables)
    with pytest.raises(ConfigurationError, match=reason) as raised:
        read_options(index)
    assert f"no 'options.json' beside '{index}'" in str(raised.value)


def test_a_variable_of_another_shape(tmp_path: Path) -> None:
    """The error says what shape was expected of a variable."""
    variables = {"lm/char_embed": numpy.zeros(261, "float32")}
    variables["lm/CNN/W_cnn_0"] = numpy.zeros((2, 3), "float32")
    index = write_bundle(tmp_path / "model", variables)
    with pytest.raises(ConfigurationError, match=r"W_cnn_0' with 4 dimensions, got shape \(2, 3\)"):
        read_options(index)
