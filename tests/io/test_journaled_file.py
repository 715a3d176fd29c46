"""A file that returns to its last commit."""

import errno
import io
import os
import random
import signal
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import hypothesis.strategies as st
import numpy
import pytest
from allennlp.common.checks import ConfigurationError
from hypothesis import given, settings

from allennlp_elmo_plugin.io import journaled_file
from allennlp_elmo_plugin.io.journaled_file import JournaledFile
from tests.io.edits import Edit, apply, edits, perform, random_edit
from tests.support.children import exit_status, needs_fork, start


def _content(file: JournaledFile) -> bytes:
    file.seek(0)
    return file.read()


def _reopened(path: Path) -> Tuple[Optional[Dict[str, Any]], bytes]:
    with JournaledFile(path) as file:
        return file.record, _content(file)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(edits, st.sampled_from(["commit", "open again"])), max_size=25))
def test_any_changes_and_commits_are_those_of_plain_bytes(steps: List[Any]) -> None:
    """Reading finds every change, and opening again finds those that were committed."""
    with tempfile.TemporaryDirectory() as folder:
        file = JournaledFile(Path(folder) / "file")
        content = committed = b""
        record = None
        for number, step in enumerate(steps):
            if step == "commit":
                file.commit({"number": number})
                committed, record = content, {"number": number}
            elif step == "open again":
                file.close()
                file = JournaledFile(Path(folder) / "file")
                content = committed
            else:
                perform(file, step)
                content = apply(content, step)
            assert _content(file) == content
            assert file.record == record
        file.close()
        assert _reopened(Path(folder) / "file") == (record, committed)


@settings(max_examples=60, deadline=None)
@given(st.lists(edits, max_size=8), st.lists(edits, max_size=8), st.data())
def test_any_part_is_read(before: List[Edit], after: List[Edit], data: st.DataObject) -> None:
    """Reading starts and ends anywhere, on the disk or in memory."""
    with tempfile.TemporaryDirectory() as folder, JournaledFile(Path(folder) / "file") as file:
        content = b""
        for edit in before:
            perform(file, edit)
            content = apply(content, edit)
        file.commit({})
        for edit in after:
            perform(file, edit)
            content = apply(content, edit)
        start = data.draw(st.integers(0, len(content) + 2))
        size = data.draw(st.integers(0, len(content) + 2))
        assert file.seek(start) == file.tell() == start
        assert file.read(size) == content[start : start + size]
        assert file.seek(0, os.SEEK_END) == len(content)


class _Power:
    """
    A disk that notes what reaches it, and can be rebuilt as it may be after a power cut.

    # Parameters

    path : `Path`
        Path of the journaled file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.events: List[Tuple[str, Any]] = []

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Notes all that a journaled file does from now on."""
        power = self

        class File(io.FileIO):
            def write(self, data: Any) -> int:
                power.events.append(("write", (self.tell(), bytes(data))))
                return super().write(data)

            def truncate(self, size: Optional[int] = None) -> int:
                power.events.append(("truncate", size))
                return super().truncate(size)

        fsync, replace = os.fsync, os.replace

        def noted_fsync(descriptor: int) -> None:
            fsync(descriptor)
            status = os.fstat(descriptor)
            for path in (self.path, self.path.parent, self.partial):
                if path.exists() and os.path.samestat(status, path.stat()):
                    self.events.append(("sync", path))

        def noted_replace(source: Path, target: Path) -> None:
            assert self.events[-1] == ("sync", self.partial), "renamed before it is on the disk"
            self.events.append(("rename", Path(source).read_bytes()))
            replace(source, target)

        monkeypatch.setattr(journaled_file, "FileIO", File)
        monkeypatch.setattr(os, "fsync", noted_fsync)
        monkeypatch.setattr(os, "replace", noted_replace)

    @property
    def partial(self) -> Path:
        """The journal before it is renamed."""
        return self.path.with_name(self.path.name + ".journal.new")

    def rebuild(self, number: int, folder: Path, loses: Callable[[], bool]) -> Path:
        """Makes the files after some events, of which those that were not synced may be lost."""
        events = self.events[:number]
        content, journal = b"", None
        for at, (kind, value) in enumerate(events):
            synced_by = self.path if kind in ("write", "truncate") else self.path.parent
            if ("sync", synced_by) not in events[at:] and loses():
                continue
            if kind == "rename":
                journal = value
            elif kind == "write":
                content = apply(content, value)
            elif kind == "truncate":
                content = apply(content, (value, None))
        path = folder / f"{number}" / "file"
        path.parent.mkdir()
        path.write_bytes(content)
        if journal is not None:
            path.with_name("file.journal").write_bytes(journal)
        return path


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("probability", [0.0, 0.5, 1.0], ids=["kill", "power cut", "all is lost"])
def test_a_cut_at_any_moment_leaves_a_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, probability: float
) -> None:
    """It is the last one, or that in the middle of which the cut came."""
    generator = random.Random(seed)
    power = _Power(tmp_path / "file")
    states = {None: b""}
    # The numbers of events when a commit began and ended.
    spans: List[Tuple[int, int]] = []
    with monkeypatch.context() as patch:
        power.install(patch)
        content = b""
        with JournaledFile(power.path) as file:
            for number in range(5):
                for _ in range(generator.randrange(5)):
                    edit = random_edit(generator)
                    perform(file, edit)
                    content = apply(content, edit)
                begin = len(power.events)
                states[number] = content
                file.commit({"number": number})
                spans.append((begin, len(power.events)))
    for cut in range(len(power.events) + 1):
        path = power.rebuild(cut, tmp_path, lambda: generator.random() < probability)
        record, found = _reopened(path)
        number = None if record is None else record["number"]
        assert found == states[number]
        ended = sum(end <= cut for _, end in spans) - 1
        begun = sum(begin <= cut for begin, _ in spans) - 1
        assert (-1 if number is None else number) in (ended, begun)
        # Opening it made the changes of the journal, and may be repeated.
        assert _reopened(path) == (record, found)


class _SmallDisk(io.FileIO):
    """A file on a disk with space for some bytes."""

    space = 1 << 30

    def write(self, data: Any) -> int:
        if not _SmallDisk.space:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = super().write(data[: _SmallDisk.space])
        _SmallDisk.space -= written
        return written


@pytest.fixture(name="small_disk")
def _small_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(journaled_file, "FileIO", _SmallDisk)
    yield _SmallDisk
    _SmallDisk.space = 1 << 30


@pytest.mark.parametrize("space", [0, 1, 100, 3000])
def test_a_full_disk_leaves_the_last_commit(tmp_path: Path, small_disk: Any, space: int) -> None:
    """The error names the file, nothing more is committed, and there is a way on."""
    path = tmp_path / "file"
    with JournaledFile(path) as file:
        file.write(b"a" * 2000)
        file.commit({"number": 1})
        small_disk.space = space
        for attempt in (lambda: perform(file, (1000, b"b" * 5000)), lambda: file.commit({})):
            with pytest.raises(OSError, match="keeps what was committed") as raised:
                attempt()
            assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, str(path))
    small_disk.space = 1 << 30
    assert _reopened(path) == ({"number": 1}, b"a" * 2000)
    with JournaledFile(path) as file:
        perform(file, (1000, b"b" * 5000))
        file.commit({"number": 2})
    assert _reopened(path) == ({"number": 2}, b"a" * 1000 + b"b" * 5000)


@pytest.mark.parametrize("space", range(0, 1500, 100))
def test_an_error_while_changes_are_made_loses_none(
    tmp_path: Path, small_disk: Any, space: int
) -> None:
    """The journal has them, so opening the file again makes them."""
    path = tmp_path / "file"
    with JournaledFile(path) as file:
        file.write(b"a" * 3000)
        file.commit({"number": 1})
        perform(file, (500, b"b" * 1200))
        small_disk.space = space
        with pytest.raises(OSError, match="No space"):
            file.commit({"number": 2})
    small_disk.space = 1 << 30
    assert _reopened(path) == ({"number": 2}, b"a" * 500 + b"b" * 1200 + b"a" * 1300)


@pytest.mark.parametrize("name", ["fsync", "replace"])
def test_a_commit_that_fails_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """No part of its journal stays."""
    path = tmp_path / "file"

    def fail(*_: Any) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with JournaledFile(path) as file:
        file.write(b"a" * 3000)
        file.commit({"number": 1})
        perform(file, (500, b"b"))
        with monkeypatch.context() as patch:
            patch.setattr(os, name, fail)
            with pytest.raises(OSError, match="Check the disk"):
                file.commit({"number": 2})
        with pytest.raises(OSError, match="Check the disk"):
            file.commit({"number": 3})
    assert _reopened(path) == ({"number": 1}, b"a" * 3000)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "file.journal"]


def test_a_patient_file_keeps_its_error(tmp_path: Path, small_disk: Any) -> None:
    """It goes on in memory, where reading finds all that was written, until someone asks."""
    path = tmp_path / "file"
    with JournaledFile(path) as file:
        file.is_patient = True
        file.write(b"a" * 2000)
        file.commit({"number": 1})
        small_disk.space = 100
        content = b"a" * 2000
        for edit in [(1000, b"b" * 5000), (7000, b"c" * 10), (10, b"d" * 10), (6500, b"e" * 2000)]:
            perform(file, edit)
            content = apply(content, edit)
            assert _content(file) == content
        assert isinstance(file.error, OSError)
        for attempt in (file.raise_error, lambda: file.commit({})):
            with pytest.raises(OSError, match="Free some space"):
                attempt()
    assert _reopened(path) == ({"number": 1}, b"a" * 2000)


def test_what_someone_else_fails_is_not_committed(tmp_path: Path) -> None:
    """An error in the middle of a sentence ends the file, too."""
    with JournaledFile(tmp_path / "file") as file:
        file.commit({"number": 1})
        file.write(b"half a sent")
        with pytest.raises(KeyboardInterrupt):
            file.fail(KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            file.commit({"number": 2})
    assert _reopened(tmp_path / "file") == ({"number": 1}, b"")


@pytest.mark.parametrize("damage", ["journal", "file"])
def test_damage_is_an_error(tmp_path: Path, damage: str) -> None:
    """A changed journal and a file that was cut off are told from an unfinished file."""
    path = tmp_path / "file"
    with JournaledFile(path) as file:
        file.write(b"a" * 3000)
        file.commit({"number": 1})
    if damage == "journal":
        content = bytearray(Path(f"{path}.journal").read_bytes())
        content[-3] ^= 1
        Path(f"{path}.journal").write_bytes(content)
    else:
        os.truncate(path, 2999)
    with pytest.raises(ConfigurationError, match="begin again"):
        JournaledFile(path)


@needs_fork
def test_a_file_is_opened_once(tmp_path: Path) -> None:
    """The second writer is refused until the first has closed the file."""
    with JournaledFile(tmp_path / "file"), pytest.raises(BlockingIOError, match="Another process"):
        JournaledFile(tmp_path / "file")
    assert exit_status(start(lambda: JournaledFile(tmp_path / "file").close())) == 0


def test_a_finished_file_is_moved(tmp_path: Path) -> None:
    """The journal stays, and tells that the file is finished."""
    path, target = tmp_path / "folder" / "file", tmp_path / "target"
    path.parent.mkdir()
    file = JournaledFile(path)
    file.write(b"abc")
    with pytest.raises(ValueError, match="commit before"):
        file.move_to(target)
    file.commit({})
    assert not JournaledFile.is_moved(path)
    file.move_to(target)
    assert target.read_bytes() == b"abc" and file.closed
    assert JournaledFile.is_moved(path)
    with pytest.raises(FileNotFoundError, match="finished and moved away"):
        JournaledFile(path)


def test_the_last_record_outlives_its_file(tmp_path: Path) -> None:
    """It is read before a commit, after one, and after the file was moved away."""
    path = tmp_path / "file"
    with JournaledFile(path) as file:
        assert JournaledFile.last_record(path) is None
        file.commit({"number": 1})
        assert JournaledFile.last_record(path) == {"number": 1}
        file.commit({"number": 2})
        file.move_to(tmp_path / "target")
    assert JournaledFile.last_record(path) == {"number": 2}


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    """The error names the file."""
    with pytest.raises(FileNotFoundError, match="folder/file"):
        JournaledFile(tmp_path / "folder" / "file")


@needs_fork
@pytest.mark.parametrize("seed", range(4))
def test_a_killed_process_leaves_a_commit(tmp_path: Path, seed: int) -> None:
    """Whenever it is killed, and however often, the next one goes on."""
    path = tmp_path / "file"
    pause = random.Random(seed)

    def write() -> None:
        with JournaledFile(path) as file:
            number = 0 if file.record is None else file.record["number"]
            while True:
                for edit in _edits(number):
                    perform(file, edit)
                number += 1
                file.commit({"number": number})

    for _ in range(5):
        child = start(write)
        time.sleep(0.02 + 0.05 * pause.random())
        os.kill(child, signal.SIGKILL)
        assert exit_status(child) == -signal.SIGKILL
    record, content = _reopened(path)
    expected = b""
    assert record is not None and record["number"] > 3
    for number in range(record["number"]):
        for edit in _edits(number):
            expected = apply(expected, edit)
    assert content == expected


def _edits(number: int) -> List[Edit]:
    generator = random.Random(number)
    return [random_edit(generator) for _ in range(4)]


def test_nothing_can_be_read_into_nothing(tmp_path: Path) -> None:
    """An array without rows is a buffer without bytes."""
    with JournaledFile(tmp_path / "file") as file:
        file.write(b"a")
        file.seek(0)
        assert file.readinto(numpy.empty((0, 3))) == 0
