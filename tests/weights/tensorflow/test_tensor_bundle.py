"""The tensors of a checkpoint."""

import shutil
from pathlib import Path
from typing import Any, List

import numpy
import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.weights.tensorflow import tensor_bundle
from allennlp_elmo_plugin.weights.tensorflow.tensor_bundle import TensorBundle
from tests.support.tensorflow_bundle import (
    TENSORFLOW_DATA,
    bundle_entries,
    message,
    table,
    write_bundle,
)
from tests.support.tensorflow_cases import CASES

TENSORS = {
    "a": numpy.arange(6, dtype="float32").reshape(2, 3),
    "b": numpy.array(2.5, dtype="float64"),
    "c/d": numpy.zeros((0, 4), "float16"),
}


def _index(name: str) -> Path:
    return TENSORFLOW_DATA / f"{name}.index"


@pytest.mark.parametrize("name", CASES)
def test_what_tensorflow_wrote_is_read_to_the_bit(name: str) -> None:
    """Every variable of a checkpoint has the name, shape and bits that TensorFlow was given."""
    bundle = TensorBundle(_index(name), "tensors")
    variables = CASES[name].variables
    assert bundle.names == sorted(variables)
    for variable, array in variables.items():
        assert bundle.shape(variable) == array.shape
        if variable != "global_step":
            assert bundle.problem(variable) is None
            found = bundle.read(variable)
            assert found.dtype == array.dtype
            assert found.tobytes() == array.tobytes()


def test_float_types_are_read(tmp_path: Path) -> None:
    """Numbers of any width, scalars and empty tensors keep their type."""
    bundle = TensorBundle(write_bundle(tmp_path / "model", TENSORS), "tensors")
    for name, array in TENSORS.items():
        assert bundle.problem(name) is None
        found = bundle.read(name)
        assert found.dtype == array.dtype and numpy.array_equal(found, array)


def test_other_types_are_a_problem() -> None:
    """Whole numbers are no weights."""
    bundle = TensorBundle(_index("trained/model.ckpt-12"), "tensors")
    assert "got TensorFlow's type number 9" in str(bundle.problem("global_step"))


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    """The tensors of a missing shard have a problem that names it; the others are read."""
    shutil.copytree(TENSORFLOW_DATA / "sharded", tmp_path / "model")
    shard = tmp_path / "model" / "model.ckpt-12.data-00001-of-00003"
    shard.unlink()
    bundle = TensorBundle(tmp_path / "model" / "model.ckpt-12.index", "tensors")
    problems = [bundle.problem(name) for name in bundle.names if "Adagrad" in name]
    assert any(problems) and not all(problems)
    assert all(str(shard) in problem for problem in problems if problem)


def test_a_cut_shard_is_a_problem(tmp_path: Path) -> None:
    """A tensor beyond the end of its shard is noticed before it is read."""
    index = write_bundle(tmp_path / "model", TENSORS)
    shard = tmp_path / "model.data-00000-of-00001"
    shard.write_bytes(shard.read_bytes()[:28])
    bundle = TensorBundle(index, "tensors")
    assert bundle.problem("a") is None
    assert "expected 8 bytes of data within the 28" in str(bundle.problem("b"))


def test_damaged_numbers_are_an_error(tmp_path: Path) -> None:
    """A changed bit in a tensor is an error that names the file and the tensor."""
    index = write_bundle(tmp_path / "model", TENSORS)
    shard = tmp_path / "model.data-00000-of-00001"
    content = bytearray(shard.read_bytes())
    content[9] ^= 1
    shard.write_bytes(content)
    bundle = TensorBundle(index, "tensors")
    with pytest.raises(ConfigurationError, match="checksum") as raised:
        bundle.read("a")
    assert str(index) in str(raised.value) and "'a'" in str(raised.value)
    assert numpy.array_equal(bundle.read("b"), TENSORS["b"])


@pytest.mark.parametrize("number", [numpy.nan, numpy.inf, 1e300])
def test_numbers_that_are_not_finite_are_an_error(tmp_path: Path, number: float) -> None:
    """A number that float32 cannot hold is an error that has its place."""
    tensors = {"a": numpy.array([[1.0, number]])}
    bundle = TensorBundle(write_bundle(tmp_path / "model", tensors), "tensors")
    with pytest.raises(ConfigurationError, match=r"finite numbers, got .* at \[0, 1\]"):
        bundle.read("a")


def _changed(**fields: Any) -> List:
    """Returns the index of one tensor of two numbers, with some fields of its entry replaced."""
    values = {
        "dtype": (1, 1),
        "shape": (2, message((2, message((1, 2))))),
        "shard": (3, 0),
        "offset": (4, 0),
        "size": (5, 8),
    }
    values.update({name: (values.get(name, (7,))[0], value) for name, value in fields.items()})
    header = message((1, 1), (2, fields.get("big_endian", 0)))
    values.pop("big_endian", None)
    return [(b"", header), (b"a", message(*values.values()))]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"shape": message((2, message((1, 2**40))))}, "expected 4398046511104 bytes"),
        ({"size": 2**40}, "got 1099511627776 from byte 0"),
        ({"offset": 2**62}, "from byte 4611686018427387904 on"),
        ({"shard": 3}, "data-00003-of-00001"),
        ({"slices": b""}, "stored in slices"),
        ({"dtype": 7}, "type number 7"),
    ],
)
def test_entries_that_do_not_fit_the_shard(tmp_path: Path, fields: Any, reason: str) -> None:
    """A crafted entry is noticed before any memory is taken for it."""
    tensors = {"a": numpy.zeros(2, "float32")}
    index = write_bundle(tmp_path / "model", tensors, _changed(**fields))
    assert reason in str(TensorBundle(index, "tensors").problem("a"))


def test_a_big_endian_checkpoint_is_refused(tmp_path: Path) -> None:
    """Numbers of the other byte order are an error."""
    tensors = {"a": numpy.zeros(2, "float32")}
    index = write_bundle(tmp_path / "model", tensors, _changed(big_endian=1))
    with pytest.raises(ConfigurationError, match="big-endian"):
        TensorBundle(index, "tensors")


@pytest.mark.parametrize(
    "content", [b"", b"no table", table([]), table(bundle_entries(TENSORS)[1:])]
)
def test_other_files_are_named(tmp_path: Path, content: bytes) -> None:
    """A file that is no index, or one without header, is an error that names it."""
    path = tmp_path / "model.index"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="tensors in a TensorFlow checkpoint") as raised:
        TensorBundle(path, "tensors")
    assert str(path) in str(raised.value)


def test_a_large_index_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is far larger than any index is not read whole."""
    monkeypatch.setattr(tensor_bundle, "MAX_INDEX_SIZE", 100)
    index = write_bundle(tmp_path / "model", TENSORS)
    with pytest.raises(ConfigurationError, match="more than 100 bytes"):
        TensorBundle(index, "tensors")
