"""Exporting the biLM of a model."""

from pathlib import Path
from typing import Any, List

import h5py
import numpy
import pytest
import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin import ElmoBilm, ElmoOptions
from allennlp_elmo_plugin.language_model.export import export_bilm
from allennlp_elmo_plugin.weights import WeightFile
from tests.support.elmo_files import elmo_arrays, elmo_options, write_elmo_files

OPTIONS = ElmoOptions(((1, 4),), projection_dim=4, cell_size=6, num_layers=1)


def test_a_frozen_bilm_is_exported_as_it_was_read(tmp_path: Path) -> None:
    """The datasets equal those of the file, up to rounding of the forget gate's bias."""
    files = write_elmo_files(tmp_path / "elmo", elmo_options(), seed=4)
    bilm = ElmoBilm.from_files(*files)
    export_bilm(torch.nn.ModuleDict({"bilm": bilm}), tmp_path / "exported")
    expected = elmo_arrays(elmo_options(), seed=4)
    with h5py.File(tmp_path / "exported" / "weights.hdf5") as file:
        for name, array in expected.items():
            assert numpy.allclose(file[name][()], array, rtol=0, atol=2e-7), name


def test_a_bilm_is_found_by_the_module_around_it(tmp_path: Path) -> None:
    """Of several biLMs, the one at or below the named module is exported."""
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
def test_an_ambiguous_name_is_an_error(
    tmp_path: Path, names: List[str], wanted: Any, expected: str
) -> None:
    """The error lists the model's biLMs, and nothing is written."""
    model = torch.nn.ModuleDict({name: ElmoBilm(OPTIONS) for name in names})
    with pytest.raises(ConfigurationError, match=f"(?s)Expected {expected}"):
        export_bilm(model, tmp_path / "exported", wanted)
    assert not (tmp_path / "exported").exists()


def test_a_reduced_precision_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Rounded weights are written as they are, and the log says so."""
    options = ElmoOptions(((1, 16),), projection_dim=16, cell_size=16, num_layers=1)
    bilm = ElmoBilm(options)
    bilm.reduce_precision("int8")
    export_bilm(torch.nn.ModuleDict({"bilm": bilm}), tmp_path)
    assert "'bilm' has the precision 'int8'" in caplog.text
