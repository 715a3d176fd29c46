"""Finding datasets and attributes in an HDF5 file without the HDF5 library."""

import struct
import time
from pathlib import Path
from typing import Any

import h5py
import numpy
import pytest

from allennlp_elmo_plugin.embedder.activation_cache.hdf5_structure import (
    FileBytes,
    Hdf5Structure,
    UnexpectedBytes,
)


def _write(path: Path, **datasets: Any) -> bytes:
    with h5py.File(path, "w", libver="earliest") as file:
        file.attrs["text"], file.attrs["number"] = "grüße", 2.5
        for name, numbers in datasets.items():
            file.create_dataset(name, data=numbers)
    return path.read_bytes()


def _read(content: bytes) -> Hdf5Structure:
    return Hdf5Structure(FileBytes(content, b"", len(content)))


@pytest.mark.parametrize("dtype", ["uint8", "uint32", "int64", "float16", "float32", "float64"])
def test_it_finds_what_h5py_wrote(tmp_path: Path, dtype: str) -> None:
    """Each dataset has its type, shape and numbers, and each attribute its value."""
    numbers = {
        "one": numpy.arange(24).reshape(2, 3, 4).astype(dtype),
        "a_longer_name": numpy.arange(1, 8).astype(dtype),
    }
    content = _write(tmp_path / "a.hdf5", **numbers)
    structure = _read(content)
    assert structure.attributes == {b"text": "grüße".encode(), b"number": 2.5}
    assert set(structure.arrays) == {name.encode() for name in numbers}
    for name, expected in numbers.items():
        found = structure.arrays[name.encode()].read(FileBytes(content, b"", len(content)))
        assert found.dtype == expected.dtype and numpy.array_equal(found, expected)


def test_numbers_in_the_block_are_not_read(tmp_path: Path) -> None:
    """The place of a dataset is found without its bytes, which cannot be read then."""
    content = _write(tmp_path / "a.hdf5", one=numpy.ones(5000))
    array = _read(content).arrays[b"one"]
    end = array.start + array.num_bytes
    without = FileBytes(content[: array.start], content[end:], end)
    assert Hdf5Structure(without).arrays == {b"one": array}
    with pytest.raises(UnexpectedBytes, match="outside of the file's structure"):
        array.read(without)


def test_structures_that_point_at_themselves_end(tmp_path: Path) -> None:
    """A continuation of an object header that is its own continuation is refused at once."""
    content = bytearray(_write(tmp_path / "a.hdf5", one=numpy.ones(3)))
    (root,) = struct.unpack("<Q", content[64:72])
    kind, place = struct.unpack("<H", content[root + 16 : root + 18])[0], root + 24
    assert kind == 16
    content[place : place + 16] = struct.pack("<QQ", root + 16, 24)
    started = time.process_time()
    with pytest.raises(UnexpectedBytes, match="too long"):
        _read(bytes(content))
    assert time.process_time() - started < 1.0


@pytest.mark.parametrize("libver", ["v108", "latest"])
def test_newer_forms_are_refused(tmp_path: Path, libver: str) -> None:
    """A file that HDF5 wrote in a newer form is refused with a reason."""
    with h5py.File(tmp_path / "a.hdf5", "w", libver=(libver, "latest")) as file:
        file.create_dataset("one", data=numpy.ones(3))
    with pytest.raises(UnexpectedBytes, match="."):
        _read((tmp_path / "a.hdf5").read_bytes())
