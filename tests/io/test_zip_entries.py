"""Zip files without a list of entries in memory."""

import zipfile
from pathlib import Path

import pytest

from allennlp_elmo_plugin.io import zip_entries
from allennlp_elmo_plugin.io.journaled_file import JournaledFile
from allennlp_elmo_plugin.io.zip_entries import read_entries, write_directory, write_entry


@pytest.mark.parametrize("num_entries", [0, 1, 1000, 65_536])
def test_python_reads_the_file(tmp_path: Path, num_entries: int) -> None:
    """Any number of entries is found, in order."""
    with JournaledFile(tmp_path / "file.zip") as file:
        for number in range(num_entries):
            write_entry(file, b"%d" % number, [b"a" * (number % 7)])
        write_directory(file, file.tell())
        file.commit({})
    with zipfile.ZipFile(tmp_path / "file.zip") as read:
        assert read.namelist() == [str(number) for number in range(num_entries)]
        for number in range(0, num_entries, 999):
            assert read.read(str(number)) == b"a" * (number % 7)


def test_a_large_file_has_large_offsets(tmp_path: Path) -> None:
    """Python reads offsets and sizes of 64 bits, here of a file with holes."""
    hole = 5 << 30
    path = tmp_path / "file.zip"
    with JournaledFile(path) as file:
        write_entry(file, b"first", [b"abc"])
        # An entry of zeros that takes no space; its checksum is not looked at.
        start = file.tell()
        write_entry(file, b"hole", [])
        file.seek(start + zip_entries.ENTRY.size + len(b"hole"))
        file.write(zip_entries.SIZES.pack(1, 16, hole, hole))
        file.truncate(file.tell() + hole)
        file.seek(0, 2)
        write_entry(file, b"last", [b"def"])
        end = file.tell()
        write_directory(file, end)
        assert [entry.name for entry in read_entries(file, end)] == [b"first", b"hole", b"last"]
        file.commit({})
    with zipfile.ZipFile(path) as read:
        assert [info.file_size for info in read.infolist()] == [3, hole, 3]
        assert read.read("first") == b"abc" and read.read("last") == b"def"
