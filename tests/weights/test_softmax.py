"""Reading and writing the softmax of a biLM."""

from pathlib import Path
from typing import Any, Dict

import h5py
import numpy
import pytest
import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.weights import read_softmax, write_softmax

WEIGHT, BIAS = torch.rand(7, 3), torch.rand(7)


def _write(path: Path, **datasets: Any) -> Path:
    with h5py.File(path, "w") as file:
        for name, array in datasets.items():
            file["softmax/" + name] = array
    return path


def test_it_is_written_in_the_layout_of_the_published_models(tmp_path: Path) -> None:
    """The file has a group with the float32 datasets W and b, which are read back exactly."""
    write_softmax(tmp_path / "softmax.hdf5", torch.nn.Parameter(WEIGHT), BIAS.double())
    with h5py.File(tmp_path / "softmax.hdf5", "r") as file:
        assert list(file) == ["softmax"] and sorted(file["softmax"]) == ["W", "b"]
        assert all(dataset.dtype == numpy.float32 for dataset in file["softmax"].values())
    weight, bias = read_softmax(tmp_path / "softmax.hdf5", 7, 3)
    assert torch.equal(weight, WEIGHT) and torch.equal(bias, BIAS)
    assert [path.name for path in tmp_path.iterdir()] == ["softmax.hdf5"]


@pytest.mark.parametrize("dtype", [">f4", "<f8", "f2"])
def test_any_type_of_number_is_read(tmp_path: Path, dtype: str) -> None:
    """Float types of any width and byte order become float32."""
    path = _write(tmp_path / "s.hdf5", W=WEIGHT.numpy().astype(dtype), b=numpy.zeros(7, dtype))
    weight, bias = read_softmax(path, 7, 3)
    assert weight.dtype == bias.dtype == torch.float32
    assert torch.allclose(weight, WEIGHT, atol=1e-3)


@pytest.mark.parametrize(
    ("datasets", "problems"),
    [
        ({"W": WEIGHT.numpy()}, ["missing: softmax/b, expected shape (7,)"]),
        ({"b": BIAS.numpy()}, ["missing: softmax/W, expected shape (7, 3)"]),
        (
            {"W": WEIGHT.t().numpy(), "b": BIAS.numpy()[:6]},
            ["softmax/W, expected (7, 3), got (3, 7)", "softmax/b, expected (7,), got (6,)"],
        ),
    ],
)
def test_a_softmax_that_does_not_fit_is_an_error(
    tmp_path: Path, datasets: Dict[str, Any], problems: list
) -> None:
    """The error lists every missing or mis-shaped dataset with its shapes."""
    path = _write(tmp_path / "s.hdf5", **datasets)
    with pytest.raises(ConfigurationError) as raised:
        read_softmax(path, 7, 3)
    assert all(problem in str(raised.value) for problem in [*problems, str(path)])


@pytest.mark.parametrize("content", [None, b"no HDF5"])
def test_an_unreadable_file_is_named(tmp_path: Path, content: Any) -> None:
    """The error for a missing file, or one that is not HDF5, names the file."""
    path = tmp_path / "other.hdf5"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"other\.hdf5"):
        read_softmax(path, 7, 3)
