"""Files that appear complete or not at all."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Iterator, Optional

import pytest

from allennlp_elmo_plugin.io.atomic import write_atomically
from tests.support.paths import REPOSITORY

NEW, OLD = "the new text", "the old text"

KILLED_WRITER = """
import os, signal, sys
from pathlib import Path
from allennlp_elmo_plugin.io.atomic import write_atomically
with write_atomically(Path(sys.argv[1])) as partial:
    partial.write_text("half of the new te")
    os.kill(os.getpid(), signal.SIGKILL)
"""


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


def test_a_killed_process_leaves_the_path_as_it_was(path: Path) -> None:
    """Its temporary file stays in a hidden folder, which no pattern such as `*.txt` finds."""
    before, files = _text(path), sorted(path.parent.glob("*.txt"))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", KILLED_WRITER, str(path)], cwd=REPOSITORY
    )
    assert done.returncode == -signal.SIGKILL
    assert _text(path) == before
    assert sorted(path.parent.glob("*.txt")) == files
    leftovers = [left for left in path.parent.iterdir() if left != path]
    assert all(left.name.startswith(".file.txt.") for left in leftovers)


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    """The folder of the file is not made in passing."""
    path = tmp_path / "missing" / "file.txt"
    with pytest.raises(FileNotFoundError), write_atomically(path) as partial:
        partial.write_text(NEW)
    assert not path.parent.exists()
