"""Files that appear complete or not at all."""

import errno
import os
import signal
import stat
import threading
import time
from glob import glob
from pathlib import Path
from typing import Iterator, Optional

import pytest

from allennlp_elmo_plugin.io import staging
from allennlp_elmo_plugin.io.atomic import write_atomically
from tests.support.children import exit_status, needs_fork, start

NEW, OLD = "the new text", "the old text"


@pytest.fixture(name="path", params=[None, OLD], ids=["new file", "existing file"])
def _path(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """The path to write to, with a file there or without; the folder has nothing else in it."""
    path = tmp_path / "folder" / "file.txt"
    path.parent.mkdir()
    if request.param is not None:
        path.write_text(request.param)
    yield path


def _text(path: Path) -> Optional[str]:
    return path.read_text() if path.exists() else None


def test_the_file_appears_when_the_block_ends(path: Path) -> None:
    """Until then the path holds what it held before; afterwards nothing else is in the folder."""
    before = _text(path)
    with write_atomically(path) as partial:
        partial.write_text(NEW)
        assert _text(path) == before
    assert _text(path) == NEW
    assert list(path.parent.iterdir()) == [path]


def test_the_temporary_path_has_the_same_name(path: Path) -> None:
    """Writers that add a missing suffix to a file name find it there."""
    with write_atomically(path) as partial:
        assert partial.name == path.name and partial != path
        partial.write_text(NEW)


def test_the_file_is_replaced_in_one_step(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The path changes by a single `os.replace`, of a file that is complete and on disk."""
    synced, replaced = [], []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor)))

    def replace(source: Path, target: Path) -> None:
        assert [status.st_size for status in synced] == [len(NEW)]
        replaced.append((Path(source).read_text(), Path(target)))
        os.rename(source, target)

    monkeypatch.setattr(os, "replace", replace)
    with write_atomically(path) as partial:
        partial.write_text(NEW)
    assert replaced == [(NEW, path)]


def test_a_reader_keeps_the_file_that_it_opened(path: Path) -> None:
    """Replacing a file does not change what an open handle reads."""
    path.write_text(OLD)
    with open(path) as reader:
        with write_atomically(path) as partial:
            partial.write_text(NEW)
        assert reader.read() == OLD


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_exception_leaves_everything_as_it_was(path: Path, error: type) -> None:
    """The exception reaches the caller, and no temporary file remains."""
    before, files = _text(path), list(path.parent.iterdir())
    with pytest.raises(error), write_atomically(path) as partial:
        partial.write_text("half of the new te")
        raise error()
    assert _text(path) == before
    assert list(path.parent.iterdir()) == files


def test_a_block_that_writes_nothing_is_an_error(path: Path) -> None:
    """An existing file is not replaced by an empty one."""
    before, files = _text(path), list(path.parent.iterdir())
    with pytest.raises(FileNotFoundError), write_atomically(path):
        pass
    assert _text(path) == before
    assert list(path.parent.iterdir()) == files


def _write_half_and_die(path: Path) -> None:
    with write_atomically(path) as partial:
        partial.write_text("half of the new te")
        os.kill(os.getpid(), signal.SIGKILL)


@needs_fork
def test_a_killed_process_leaves_the_path_as_it_was(path: Path) -> None:
    """Its temporary files are hidden from patterns, and the next writer removes them."""
    before, files = _text(path), sorted(path.parent.glob("**/*.txt"))
    for _ in range(3):
        assert exit_status(start(lambda: _write_half_and_die(path))) == -signal.SIGKILL
        assert _text(path) == before
        # Of pathlib and glob, the first finds hidden files as well.
        assert sorted(glob(f"{path.parent}/**/*.txt", recursive=True)) == list(map(str, files))
        leftovers = [left for left in path.parent.iterdir() if left != path]
        assert len(leftovers) == 1 and leftovers[0].name.startswith(".")
    with write_atomically(path.with_name("other.txt")) as partial:
        partial.write_text(NEW)
    assert {left.name for left in path.parent.iterdir()} <= {"other.txt", path.name}


@needs_fork
@pytest.mark.parametrize("without", ["lock", "files"])
def test_a_writer_that_is_killed_early_leaves_nothing_for_ever(
    path: Path, without: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next writer also removes a folder that has no lock yet, or no files yet."""
    at = "lock_file" if without == "lock" else "is_locked_file"
    before = set(path.parent.iterdir())

    def write() -> None:
        setattr(staging, at, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        _write_half_and_die(path)

    assert exit_status(start(write)) == -signal.SIGKILL
    assert set(path.parent.iterdir()) > before
    with write_atomically(path) as partial:
        partial.write_text(NEW)
    assert list(path.parent.iterdir()) == [path]


@needs_fork
@pytest.mark.parametrize("elsewhere", [True, False], ids=["other process", "other thread"])
def test_a_writer_at_work_is_left_alone(path: Path, elsewhere: bool) -> None:
    """The temporary file of a live writer stays, in another process or thread."""
    reader, writer = os.pipe()

    def write_slowly() -> None:
        with write_atomically(path) as partial:
            partial.write_text(NEW)
            assert os.read(reader, 1)

    if elsewhere:
        child = start(write_slowly)
    else:
        thread = threading.Thread(target=write_slowly)
        thread.start()
    while not list(path.parent.glob(f".*/*/{path.name}")):
        time.sleep(0.001)
    other = path.with_name("other.txt")
    with write_atomically(other) as partial:
        partial.write_text(OLD)
    os.write(writer, b"x")
    assert exit_status(child) == 0 if elsewhere else thread.join() is None  # type: ignore[func-returns-value]
    assert _text(path) == NEW and _text(other) == OLD
    assert sorted(path.parent.iterdir()) == sorted([path, other])
    os.close(reader)
    os.close(writer)


@needs_fork
def test_a_file_system_without_locks_is_written_to(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Leftovers stay there, since nobody knows whether their writers are at work."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", refuse)
    assert exit_status(start(lambda: _write_half_and_die(path))) == -signal.SIGKILL
    with write_atomically(path) as partial:
        partial.write_text(NEW)
    assert _text(path) == NEW
    assert len(list(path.parent.iterdir())) == 2


def test_writing_works_without_fcntl(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has no such module."""
    monkeypatch.setattr(staging, "fcntl", None)
    with write_atomically(path) as partial:
        partial.write_text(NEW)
    assert _text(path) == NEW and list(path.parent.iterdir()) == [path]


def test_a_link_in_the_place_of_a_leftover_is_not_followed(path: Path, tmp_path: Path) -> None:
    """Nothing is removed outside the folder."""
    valuable = tmp_path / "elsewhere" / "new" / "valuable.txt"
    valuable.parent.mkdir(parents=True)
    valuable.write_text(OLD)
    (tmp_path / "elsewhere" / ".lock").touch()
    (path.parent / f"{staging.PREFIX}link").symlink_to(tmp_path / "elsewhere")
    with write_atomically(path) as partial:
        partial.write_text(NEW)
    assert _text(valuable) == OLD


@pytest.mark.parametrize("umask", [0o022, 0o027])
def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path: Path, umask: int) -> None:
    """They follow the umask."""
    before = os.umask(umask)
    try:
        with write_atomically(tmp_path / "file.txt") as partial:
            partial.write_text(NEW)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file.txt").stat().st_mode) == 0o666 & ~umask


def test_a_replaced_file_keeps_its_permissions(tmp_path: Path) -> None:
    """A private file stays private."""
    path = tmp_path / "file.txt"
    path.write_text(OLD)
    path.chmod(0o600)
    with write_atomically(path) as partial:
        partial.write_text(NEW)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_link_is_replaced(path: Path) -> None:
    """The file that it names stays as it is."""
    path.write_text(OLD)
    link = path.with_name("link.txt")
    link.symlink_to(path)
    with write_atomically(link) as partial:
        partial.write_text(NEW)
    assert not link.is_symlink()
    assert _text(link) == NEW and _text(path) == OLD


def test_a_name_may_be_as_long_as_any(tmp_path: Path) -> None:
    """The temporary name is not longer than the file's own."""
    path = tmp_path / ("x" * 255)
    with write_atomically(path) as partial:
        partial.write_text(NEW)
    assert _text(path) == NEW


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    """The folder of the file is not made in passing, and the error names the file."""
    path = tmp_path / "missing" / "file.txt"
    missing = pytest.raises(FileNotFoundError, match="Make the folder first")
    with missing as raised, write_atomically(path) as partial:
        partial.write_text(NEW)
    assert raised.value.filename == str(path)
    assert not path.parent.exists()


def test_a_folder_in_the_place_of_the_file_is_an_error(tmp_path: Path) -> None:
    """The error comes before anything is written."""
    (tmp_path / "file.txt").mkdir()
    path = tmp_path / "file.txt"
    with pytest.raises(IsADirectoryError, match=r"file\.txt") as raised, write_atomically(path):
        pytest.fail("asked for content")
    assert raised.value.errno == errno.EISDIR


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_an_error_of_the_disk_names_the_file(path: Path, code: int) -> None:
    """Python's own error for a full disk names no file. The old file and nothing else remain."""
    before, files = _text(path), list(path.parent.iterdir())
    failed = pytest.raises(OSError, match="so nothing was written")
    with failed as raised, write_atomically(path) as partial:
        partial.write_text("half of the new te")
        raise OSError(code, os.strerror(code))
    assert raised.value.errno == code and raised.value.filename == str(path)
    assert _text(path) == before and list(path.parent.iterdir()) == files


def test_other_errors_stay_as_they_are(path: Path) -> None:
    """An error about another file, or about no file, is not blamed on this one."""
    for error in (OSError(errno.ENOENT, "no such file", "other.txt"), OSError("no connection")):
        with pytest.raises(OSError) as raised, write_atomically(path):
            raise error
        assert raised.value is error
