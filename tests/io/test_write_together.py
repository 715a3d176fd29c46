"""Sets of files that appear together or not at all."""

import errno
import os
import stat
from functools import partial
from pathlib import Path
from typing import Dict, List, Sequence

import pytest

from allennlp_elmo_plugin.io import atomic
from allennlp_elmo_plugin.io.atomic import explain_interruption, write_together
from tests.support.children import exit_status, needs_fork, start, stopped_at_rename

NAMES = ("a.txt", "options.json", "z.txt")


def _write(folder: Path, version: str, names: Sequence[str] = NAMES) -> None:
    with write_together(folder, last="options.json") as written:
        for name in names:
            (written / name).write_text(version)


def _versions(folder: Path) -> Dict[str, str]:
    """Returns the text of each file in the folder that isn't hidden."""
    return {path.name: path.read_text() for path in folder.glob("[!.]*")}


def _hidden(folder: Path) -> List[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


@pytest.fixture(name="folder", params=[True, False], ids=["old files", "no folder"])
def _folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = tmp_path / "deep" / "folder"
    if request.param:
        _write(folder, "old")
    return folder


def test_all_files_appear_when_the_block_ends(folder: Path) -> None:
    """Until then the folder holds what it held before; afterwards nothing else is there."""
    before = _versions(folder)
    with write_together(folder, last="options.json") as written:
        for name in NAMES:
            (written / name).write_text("new")
        assert _versions(folder) == before
    assert _versions(folder) == dict.fromkeys(NAMES, "new")
    assert _hidden(folder) == []


def test_other_files_stay(folder: Path) -> None:
    """Only files of the same names are replaced."""
    _write(folder, "new", ("options.json", "other.txt"))
    _write(folder, "newer")
    assert _versions(folder) == {**dict.fromkeys(NAMES, "newer"), "other.txt": "new"}


@needs_fork
def test_a_process_may_be_killed_at_any_rename(tmp_path: Path) -> None:
    """Visible is a part of one set, which is whole if the last file is there."""
    number = 0
    incomplete = 0
    while True:
        folder = tmp_path / str(number)
        _write(folder, "old")
        if not stopped_at_rename(number, partial(_write, folder, "new")):
            break
        seen = _versions(folder)
        assert len(set(seen.values())) <= 1
        is_whole = len(seen) == len(NAMES)
        assert is_whole == ("options.json" in seen)
        assert is_whole == (explain_interruption(folder) == "")
        incomplete += not is_whole
        for _ in range(2):
            _write(folder, "newer")
            assert _versions(folder) == dict.fromkeys(NAMES, "newer")
            assert _hidden(folder) == []
        number += 1
    assert (number, incomplete) == (2 * len(NAMES), 2 * len(NAMES) - 1)


@needs_fork
def test_the_files_of_an_interrupted_exchange_stay_until_there_are_new_ones(tmp_path: Path) -> None:
    """They are the only copy, so a writer that fails does not remove them."""
    _write(tmp_path, "old")
    assert stopped_at_rename(2, lambda: _write(tmp_path, "new"))
    assert "was interrupted" in explain_interruption(tmp_path)
    with pytest.raises(ValueError), write_together(tmp_path, last="options.json"):
        raise ValueError()
    (leftover,) = tmp_path.glob(".*-*")
    texts = sorted(path.read_text() for path in leftover.glob("*/*.txt"))
    assert texts == ["new", "new", "old"] and _versions(tmp_path) == {"a.txt": "old"}


@pytest.mark.parametrize("number", range(2 * len(NAMES)))
def test_an_error_during_the_exchange_is_undone(
    tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old files are all there again, and the error names the folder."""
    _write(tmp_path, "old")
    calls: List[Path] = []
    replace = os.replace

    def failing_replace(source: Path, target: Path) -> None:
        calls.append(target)
        if len(calls) == number + 1:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(target))
        replace(source, target)

    monkeypatch.setattr(os, "replace", failing_replace)
    with pytest.raises(OSError) as raised:
        _write(tmp_path, "new")
    assert raised.value.errno == errno.EIO and str(tmp_path) in str(raised.value)
    assert _versions(tmp_path) == dict.fromkeys(NAMES, "old")
    assert _hidden(tmp_path) == []


def test_files_are_kept_where_undoing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is removed if the old files cannot be moved back."""
    _write(tmp_path, "old")
    calls: List[Path] = []
    replace = os.replace

    def failing_replace(source: Path, target: Path) -> None:
        calls.append(target)
        if len(calls) > 2:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(target))
        replace(source, target)

    monkeypatch.setattr(os, "replace", failing_replace)
    with pytest.raises(OSError):
        _write(tmp_path, "new")
    monkeypatch.undo()
    texts = [path.read_text() for path in tmp_path.rglob("*") if path.suffix in (".txt", ".json")]
    assert sorted(texts) == ["new"] * 3 + ["old"] * 3
    assert "was interrupted" in explain_interruption(tmp_path)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_exception_leaves_everything_as_it_was(folder: Path, error: type) -> None:
    """Folders that were made for the files are removed again."""
    existed, before = folder.exists(), _versions(folder)
    with pytest.raises(error), write_together(folder, last="options.json") as written:
        (written / "a.txt").write_text("new")
        raise error()
    assert _versions(folder) == before
    assert folder.exists() == folder.parent.exists() == existed
    assert not existed or _hidden(folder) == []


@needs_fork
def test_writers_take_turns(tmp_path: Path) -> None:
    """Of several processes that write to one folder at once, one wins for all files."""
    for _ in range(5):
        children = [
            start(lambda version=version: [_write(tmp_path, version) for _ in range(20)])  # type: ignore[misc]
            for version in ("1", "2", "3")
        ]
        assert [exit_status(child) for child in children] == [0, 0, 0]
        versions = _versions(tmp_path)
        assert set(versions) == set(NAMES) and len(set(versions.values())) == 1
        assert _hidden(tmp_path) == []


def test_a_lock_that_is_never_released_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped process doesn't make the others wait for ever; the old files stay."""
    _write(tmp_path, "old")
    monkeypatch.setattr(atomic, "LOCK_SECONDS", 0.05)
    with atomic._exchange_lock(tmp_path), pytest.raises(TimeoutError, match="Another process"):
        _write(tmp_path, "new")
    assert _versions(tmp_path) == dict.fromkeys(NAMES, "old")
    _write(tmp_path, "new")
    assert _hidden(tmp_path) == []


def test_permissions_are_those_of_the_old_files(tmp_path: Path) -> None:
    """A private file stays private, and a new one follows the umask."""
    before = os.umask(0o022)
    try:
        _write(tmp_path / "folder", "old")
        (tmp_path / "folder" / "a.txt").chmod(0o600)
        _write(tmp_path / "folder", "new")
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / "folder" / name).stat().st_mode) for name in NAMES]
    assert modes == [0o600, 0o644, 0o644]
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o755


def test_a_folder_in_the_place_of_a_file_is_an_error(tmp_path: Path) -> None:
    """It stays with all that is in it, and so do the other files."""
    _write(tmp_path, "old", ("a.txt",))
    (tmp_path / "options.json").mkdir()
    (tmp_path / "options.json" / "valuable.txt").write_text("old")
    with pytest.raises(IsADirectoryError, match=r"options\.json"):
        _write(tmp_path, "new")
    assert (tmp_path / "options.json" / "valuable.txt").read_text() == "old"
    assert (tmp_path / "a.txt").read_text() == "old" and _hidden(tmp_path) == []


def test_a_file_in_the_place_of_the_folder_is_an_error(tmp_path: Path) -> None:
    """The error names it, and it stays."""
    (tmp_path / "file").write_text("old")
    with pytest.raises(FileExistsError, match="remove the file"):
        _write(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text() == "old"


def test_a_link_to_a_folder_is_followed(tmp_path: Path) -> None:
    """Links in the folder are replaced, and the files that they name stay."""
    _write(tmp_path / "real", "old")
    (tmp_path / "outside.txt").write_text("outside")
    (tmp_path / "real" / "a.txt").unlink()
    (tmp_path / "real" / "a.txt").symlink_to(tmp_path / "outside.txt")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    _write(tmp_path / "link", "new")
    assert _versions(tmp_path / "real") == dict.fromkeys(NAMES, "new")
    assert (tmp_path / "outside.txt").read_text() == "outside"
