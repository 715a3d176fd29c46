"""The softmax of a biLM on disk."""

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


def test_it_is_laid_out_as_the_published_ones(tmp_path: Path) -> None:
    """A group with W and b, in float32."""
    write_softmax(tmp_path / "softmax.hdf5", torch.nn.Parameter(WEIGHT), BIAS.double())
    with h5py.File(tmp_path / "softmax.hdf5", "r") as file:
        assert list(file) == ["softmax"] and sorted(file["softmax"]) == ["W", "b"]
        assert all(dataset.dtype == numpy.float32 for dataset in file["softmax"].values())
    weight, bias = read_softmax(tmp_path / "softmax.hdf5", 7, 3)
    assert torch.equal(weight, WEIGHT) and torch.equal(bias, BIAS)
    assert [path.name for path in tmp_path.iterdir()] == ["softmax.hdf5"]


@pytest.mark.parametrize("dtype", [">f4", "<f8", "f2"])
def test_any_type_of_number_is_read(tmp_path: Path, dtype: str) -> None:
    """Whatever its order of bytes."""
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
def test_one_that_does_not_fit_is_refused(
    tmp_path: Path, datasets: Dict[str, Any], problems: list
) -> None:
    """Every dataset at fault is named, with both shapes."""
    path = _write(tmp_path / "s.hdf5", **datasets)
    with pytest.raises(ConfigurationError) as raised:
        read_softmax(path, 7, 3)
    assert all(problem in str(raised.value) for problem in [*problems, str(path)])


@pytest.mark.parametrize("content", [None, b"no HDF5"])
def test_another_file_is_refused(tmp_path: Path, content: Any) -> None:
    """By its name."""
    path = tmp_path / "other.hdf5"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"other\.hdf5"):
        read_softmax(path, 7, 3)
