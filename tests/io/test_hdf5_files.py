"""HDF5 files on a disk that may be full."""

import errno
import io
import os
from pathlib import Path
from typing import Any

import h5py
import numpy
import pytest

from allennlp_elmo_plugin.io import hdf5_files
from allennlp_elmo_plugin.io.hdf5_files import write_hdf5
from tests.support.children import exit_status, needs_fork, start


def _write(path: Path) -> None:
    with write_hdf5(path) as file:
        for number in range(12):
            file.create_dataset(f"group_{number % 3}/{number}", data=numpy.full(100, number))


class _SmallDisk(io.FileIO):
    """A file on a disk with space for some bytes."""

    space = 0

    def write(self, data: Any) -> int:
        if len(data) and not _SmallDisk.space:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = super().write(data[: _SmallDisk.space])
        _SmallDisk.space -= written
        return written


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Any reader of HDF5 finds the datasets, in a file that replaces a longer one."""
    (tmp_path / "file.hdf5").write_bytes(b"longer" * 10_000)
    _write(tmp_path / "file.hdf5")
    with h5py.File(tmp_path / "file.hdf5", "r") as file:
        for number in range(12):
            assert (file[f"group_{number % 3}/{number}"][()] == number).all()


@needs_fork
def test_a_disk_may_be_full_at_any_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is an error of the operating system each time, and the process goes on."""
    _write(tmp_path / "whole.hdf5")
    size = (tmp_path / "whole.hdf5").stat().st_size
    limited = type("Limited", (hdf5_files.PatientFile, _SmallDisk), {})
    monkeypatch.setattr(hdf5_files, "PatientFile", limited)

    def write_often() -> None:
        for space in range(0, size, 101):
            _SmallDisk.space = space
            with pytest.raises(OSError) as raised:
                _write(tmp_path / "file.hdf5")
            assert raised.value.errno == errno.ENOSPC
        _SmallDisk.space = 10 * size
        _write(tmp_path / "file.hdf5")

    # In a process of its own: what this is about ends the process.
    assert exit_status(start(write_often)) == 0
    assert (tmp_path / "file.hdf5").stat().st_size == size


def test_an_error_of_the_block_reaches_the_caller(tmp_path: Path) -> None:
    """The file is closed."""
    with pytest.raises(KeyError), write_hdf5(tmp_path / "file.hdf5") as file:
        raise KeyError()
    assert not file
