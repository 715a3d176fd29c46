"""Files of `torch.save`: whole, safe to read, or a clear error."""

import inspect
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, Dict

import pytest
import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.io.torch_files import (
    DamagedFileError,
    damage_of,
    load_torch_file,
    save_torch_file,
)

CONTENT: Dict[str, Any] = {"weight": torch.arange(40.0), "more": [1, 2.5, "x", None]}


class CodeInPickle:
    """An object that runs code where a pickle is loaded."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("ran",)


def is_content(found: Any) -> bool:
    """Returns `True` for what equals `CONTENT`."""
    return torch.equal(found["weight"], CONTENT["weight"]) and found["more"] == CONTENT["more"]


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Tensors and values come back, and nothing else is in the folder."""
    save_torch_file(CONTENT, tmp_path / "x.th")
    assert is_content(load_torch_file(tmp_path / "x.th"))
    assert damage_of(tmp_path / "x.th") is None
    assert os.listdir(tmp_path) == ["x.th"]


def test_a_record_that_is_marked_as_a_folder_is_damage(tmp_path: Path) -> None:
    """PyTorch would leave the memory of its tensor as it is, without an error."""
    path = tmp_path / "x.th"
    save_torch_file(CONTENT, path)
    with zipfile.ZipFile(path) as file:
        (name,) = (each for each in file.namelist() if each.endswith("/data/0"))
    content = bytearray(path.read_bytes())
    # The name in the list at the end follows 46 bytes, of which these are the attributes.
    content[content.rindex(name.encode()) - 8] |= 0x10
    path.write_bytes(content)
    with pytest.raises(DamagedFileError, match="data/0' is marked as a folder"):
        load_torch_file(path)


def test_a_storage_that_is_missing_is_damage(tmp_path: Path) -> None:
    """The format of PyTorch 0.4 names its storages in the pickle and in a list of keys."""
    path = tmp_path / "x.pkl"
    torch.save(CONTENT, path, _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    (key,) = set(re.findall(rb"\d{9,}", content))
    assert content.count(key) == 2
    path.write_bytes(content.replace(key, b"0" * len(key), 1))
    with pytest.raises(DamagedFileError, match=r"x\.pkl', but it cannot be read"):
        load_torch_file(path)


@pytest.mark.parametrize("limit", [0, 100, 30_000])
def test_a_full_disk_is_a_clear_error(tmp_path: Path, limit: int) -> None:
    """The error of a failed write names the file, and the file from before is whole."""
    resource = pytest.importorskip("resource")
    path = tmp_path / "x.th"
    save_torch_file(CONTENT, path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        with pytest.raises(ConfigurationError, match="x.th.*the write failed.*free.*--recover"):
            save_torch_file({"weight": torch.zeros(100_000)}, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert is_content(load_torch_file(path))
    assert os.listdir(tmp_path) == ["x.th"]


def test_a_file_that_is_cut_off_is_damaged(tmp_path: Path) -> None:
    """Every shorter length gives an error that names the file."""
    path = tmp_path / "x.th"
    save_torch_file(CONTENT, path)
    data = path.read_bytes()
    for length in range(0, len(data), 13):
        path.write_bytes(data[:length])
        with pytest.raises(DamagedFileError, match="x.th"):
            load_torch_file(path)


def test_no_changed_bit_gives_other_numbers(tmp_path: Path) -> None:
    """A changed bit gives an error that names the file, or changes nothing that is read."""
    path = tmp_path / "x.th"
    save_torch_file(CONTENT, path)
    data = path.read_bytes()
    num_errors = 0
    for position in range(0, len(data), 3):
        changed = bytearray(data)
        changed[position] ^= 1 << (position % 8)
        path.write_bytes(changed)
        try:
            assert is_content(load_torch_file(path))
        except DamagedFileError as error:
            assert "x.th" in str(error)
            num_errors += 1
    assert num_errors > len(data) / 8


@pytest.mark.parametrize("data", [b"no pickle at all", b"\x80\x02}q\x00."], ids=["text", "pickle"])
def test_other_files_are_damaged(tmp_path: Path, data: bytes) -> None:
    """A file that `torch.save` never wrote gives the same error."""
    (tmp_path / "x.th").write_bytes(data)
    with pytest.raises(DamagedFileError, match="x.th"):
        load_torch_file(tmp_path / "x.th")


def test_files_of_old_versions_of_torch_are_read(tmp_path: Path) -> None:
    """Files from before torch 1.6 are no zip, and only a part that is missing shows."""
    path = tmp_path / "x.th"
    torch.save(CONTENT, path, _use_new_zipfile_serialization=False)
    assert is_content(load_torch_file(path))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DamagedFileError, match="x.th"):
        load_torch_file(path)


def test_compressed_records_are_refused(tmp_path: Path) -> None:
    """A small file that unpacks to a large one is not unpacked."""
    path = tmp_path / "x.th"
    torch.save({"weight": torch.zeros(1_000_000)}, path)
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "y.th", "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name), zipfile.ZIP_DEFLATED)
    with pytest.raises(DamagedFileError, match=r"unpack to 4,\d{3},\d{3} bytes"):
        load_torch_file(tmp_path / "y.th")


@pytest.mark.skipif(
    "weights_only" not in inspect.signature(torch.load).parameters,
    reason="this version of torch runs what a pickle says",
)
def test_code_in_a_pickle_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An object that runs code is refused with what to do."""
    monkeypatch.chdir(tmp_path)
    torch.save({"weight": torch.ones(1), "code": CodeInPickle()}, tmp_path / "x.th")
    with pytest.raises(ConfigurationError, match="x.th' *, but it holds.*mkdir.*If you trust"):
        load_torch_file(tmp_path / "x.th")
    assert not (tmp_path / "ran").exists()


def test_weights_only_is_set_where_it_exists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyTorch 1.13 to 2.5 have the argument, and do not set it by themselves."""

    def load(path: Any, map_location: Any = None, weights_only: bool = False) -> bool:
        return weights_only

    def load_of_old_torch(path: Any, map_location: Any = None) -> str:
        return "old"

    save_torch_file(CONTENT, tmp_path / "x.th")
    monkeypatch.setattr(torch, "load", load)
    assert load_torch_file(tmp_path / "x.th") is True
    assert load_torch_file(tmp_path / "x.th", weights_only=False) is False
    monkeypatch.setattr(torch, "load", load_of_old_torch)
    assert load_torch_file(tmp_path / "x.th", map_location="cpu") == "old"


def test_a_missing_file_stays_missing(tmp_path: Path) -> None:
    """Python's own error says that there is no file."""
    with pytest.raises(FileNotFoundError, match="x.th"):
        load_torch_file(tmp_path / "x.th")
    with pytest.raises(DamagedFileError, match="it is a folder"):
        load_torch_file(tmp_path)


def test_a_killed_writer_leaves_the_old_file(tmp_path: Path) -> None:
    """A process that ends while it writes leaves the file from before."""
    path = tmp_path / "x.th"
    save_torch_file(CONTENT, path)
    code = (
        "import os, sys, torch\n"
        "from allennlp_elmo_plugin.io import torch_files\n"
        "class Deadly:\n"
        "    def __reduce__(self):\n"
        "        os._exit(9)\n"
        "torch_files.save_torch_file([torch.zeros(9), Deadly()], sys.argv[1])\n"
    )
    ended = subprocess.run([sys.executable, "-W", "ignore", "-c", code, str(path)], timeout=120)
    assert ended.returncode == 9
    assert is_content(load_torch_file(path))
