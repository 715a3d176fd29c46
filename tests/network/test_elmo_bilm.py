"""The files of a biLM, whatever happens to those who write them."""

import errno
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, Dict, List

import pytest
import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin import ElmoBilm, ElmoOptions
from tests.support.children import exit_status, needs_fork, start, stopped_at_rename
from tests.support.paths import REPOSITORY

OPTIONS = ElmoOptions(((1, 4),), projection_dim=4, cell_size=6, num_layers=1)

WRITE_ON_A_FULL_DISK = """
import errno, os, sys
from pathlib import Path
import torch
from allennlp_elmo_plugin import ElmoBilm, ElmoOptions
folder = Path(sys.argv[1])
bilm = ElmoBilm(ElmoOptions(((1, 4),), projection_dim=4, cell_size=6, num_layers=1))
bilm.to_folder(folder / "elmo")
before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
failures = 0
for space in range(0, 64, 8):
    with open(folder / "ballast", "wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(bytes(4096))
        except OSError:
            ballast.truncate(ballast.tell() - space * 1024)
    try:
        bilm.to_folder(folder / "elmo")
        before = {path: path.read_bytes() for path in before}
    except OSError as error:
        assert error.errno == errno.ENOSPC and str(folder / "elmo") in str(error), error
        failures += 1
    (folder / "ballast").unlink()
    after = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert after == before, space
    ElmoBilm.from_files(folder / "elmo", folder / "elmo")
print("failures:", failures)
"""


def _bilms(number: int) -> List[ElmoBilm]:
    """Returns biLMs whose options and weights all differ."""
    return [ElmoBilm(replace(OPTIONS, cell_clip=float(clip))) for clip in range(1, number + 1)]


def _require_one_of(bilms: List[ElmoBilm], folder: Path) -> None:
    """Requires that the files in the folder are those of one biLM."""
    read = ElmoBilm.from_files(folder, folder)
    (written,) = [bilm for bilm in bilms if bilm.options == read.options]
    expected: Dict[str, torch.Tensor] = written.state_dict()
    for name, weights in read.state_dict().items():
        assert torch.equal(weights, expected[name]), name


@needs_fork
def test_killed_exports_leave_a_whole_bilm(tmp_path: Path) -> None:
    """Several processes write to one folder and are killed at random moments."""
    bilms = _bilms(4)
    bilms[0].to_folder(tmp_path)
    drawn = random.Random(0)

    def write_for_ever(bilm: ElmoBilm) -> None:
        while True:
            bilm.to_folder(tmp_path)

    for _ in range(4):
        children = [start(lambda bilm=bilm: write_for_ever(bilm)) for bilm in bilms[1:]]  # type: ignore[misc]
        time.sleep(drawn.uniform(0.05, 0.15))
        for child in children:
            os.kill(child, signal.SIGKILL)
        assert [exit_status(child) for child in children] == [-signal.SIGKILL] * 3
        # No leftovers but those of these processes, and the lock.
        assert len(list(tmp_path.glob(".*"))) <= len(children) + 1
        try:
            _require_one_of(bilms, tmp_path)
        except ConfigurationError as error:
            assert "is replacing files" in str(error)
    bilms[0].to_folder(tmp_path)
    _require_one_of(bilms[:1], tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["options.json", "weights.hdf5"]


@needs_fork
@pytest.mark.parametrize("by", ["folder", "files"])
def test_a_half_exchanged_bilm_is_explained(tmp_path: Path, by: str) -> None:
    """The error names the interrupted write, and what to do."""
    old, new = _bilms(2)
    paths = (tmp_path, tmp_path)
    if by == "files":
        paths = (tmp_path / "options.json", tmp_path / "weights.hdf5")
    number = 0
    while True:
        old.to_folder(tmp_path)
        if not stopped_at_rename(number, lambda: new.to_folder(tmp_path)):
            break
        if (tmp_path / "options.json").exists():
            _require_one_of([old], tmp_path)
        else:
            with pytest.raises(ConfigurationError, match="(?s)options.*interrupted.*write them"):
                ElmoBilm.from_files(*paths)
        number += 1
    assert number > 3
    _require_one_of([new], tmp_path)


def test_files_that_are_replaced_while_they_are_read_are_not_mixed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The options of one export never get the weights of another; a second attempt succeeds."""
    old, new = _bilms(2)
    old.to_folder(tmp_path)
    # The package has a function of the module's name.
    module = import_module("allennlp_elmo_plugin.weights.open_weights")
    find = module.find_weight_file

    def find_late(location: Any) -> Path:
        new.to_folder(tmp_path)
        return find(location)

    monkeypatch.setattr(module, "find_weight_file", find_late)
    with pytest.raises(ConfigurationError, match=r"options\.json' was replaced.*Load them again"):
        ElmoBilm.from_files(tmp_path, tmp_path)
    monkeypatch.undo()
    _require_one_of([new], tmp_path)


@needs_fork
def test_a_limit_of_the_size_leaves_the_old_files(tmp_path: Path) -> None:
    """Wherever it is met, the process gets an error that names the folder."""
    old, new = _bilms(2)
    old.to_folder(tmp_path)
    size = (tmp_path / "weights.hdf5").stat().st_size

    def write(limit: int) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        with pytest.raises(OSError) as raised:
            new.to_folder(tmp_path)
        assert raised.value.errno == errno.EFBIG and str(tmp_path) in str(raised.value)

    for limit in range(0, size, 2999):
        assert exit_status(start(lambda limit=limit: write(limit))) == 0  # type: ignore[misc]
    _require_one_of([old], tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["options.json", "weights.hdf5"]


def test_a_full_disk_leaves_the_old_files(tmp_path: Path) -> None:
    """With any space that is left, an export succeeds or gives an error and leaves nothing."""
    mount = "mount -t tmpfs -o size=256k tmpfs"
    in_namespace = ["unshare", "-rm", "sh", "-c"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*in_namespace, f"{mount} '{tmp_path}'"], capture_output=True).returncode
    ):
        pytest.skip("a small file system cannot be mounted here")
    command = f'{mount} "$1" && exec "$2" -W ignore -c "$3" "$1"'
    done = subprocess.run(
        [*in_namespace, command, "sh", str(tmp_path), sys.executable, WRITE_ON_A_FULL_DISK],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert 0 < int(done.stdout.rpartition(":")[2]) < 8


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_named(tmp_path: Path) -> None:
    """The error says what to do."""
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError, match="Choose another folder") as raised:
        _bilms(1)[0].to_folder(tmp_path)
    assert raised.value.filename == str(tmp_path)
