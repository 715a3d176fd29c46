"""Layers of sentences in a folder that several processes use, damage and delete."""

import builtins
import errno
import io
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, Iterable, List, NoReturn, Optional, Union

import h5py
import numpy
import pytest

from allennlp_elmo_plugin.embedder.activation_cache.store import ActivationStore
from tests.support.paths import REPOSITORY

SIZE = 12

unflushed: Optional[ActivationStore] = None

# Without importing AllenNLP, which takes its time.
CHILD = """
import sys, types
package = types.ModuleType("allennlp_elmo_plugin")
package.__path__ = ["allennlp_elmo_plugin"]
sys.modules["allennlp_elmo_plugin"] = package
from tests.embedder.activation_cache import test_store
getattr(test_store, sys.argv[1])(*sys.argv[2:])
"""


def _start(function: str, *arguments: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, function, *arguments], cwd=str(REPOSITORY)
    )


def _store(folder: Union[str, Path], name: str, **options: Any) -> ActivationStore:
    return ActivationStore(folder, name, "float32", SIZE, **options)


def _digest(number: int, group: int = 0) -> bytes:
    return bytes([group]) + number.to_bytes(15, "big")


def _layers(digest: bytes) -> numpy.ndarray:
    """Returns the layers of a digest."""
    random = numpy.random.RandomState(list(digest))
    return random.normal(size=(2 + digest[-1] % 5, SIZE)).astype("float32")


def _entries(numbers: Iterable[int], group: int = 0) -> Dict[bytes, numpy.ndarray]:
    return {digest: _layers(digest) for digest in (_digest(n, group) for n in numbers)}


def _lengths(digests: Iterable[bytes]) -> Dict[bytes, int]:
    return {digest: len(_layers(digest)) for digest in digests}


def _add(store: ActivationStore, numbers: Iterable[int]) -> None:
    """Adds entries in a file of their own."""
    store.add(_entries(numbers), 1.0)
    store.flush()


def _found(store: ActivationStore, numbers: Iterable[int], group: int = 0) -> List[int]:
    """Lists the entries that are found, and fails if one of them is not right."""
    digests = {number: _digest(number, group) for number in numbers}
    found = store.find(_lengths(digests.values()))
    assert found.keys() <= set(digests.values())
    for digest, layers in found.items():
        expected = _layers(digest)
        assert (layers.dtype, layers.shape) == (expected.dtype, expected.shape)
        assert layers.tobytes() == expected.tobytes()
    return [number for number, digest in digests.items() if digest in found]


def _files(folder: Path, ending: str = ".hdf5") -> List[Path]:
    return sorted(path for path in folder.glob("**/*") if path.name.endswith(ending))


def _size(folder: Path) -> int:
    return sum(
        os.path.getsize(os.path.join(parent, name))
        for parent, _, names in os.walk(str(folder))
        for name in names
    )


def _warnings(caplog: pytest.LogCaptureFixture) -> List[str]:
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


def _flip(path: Path, number: int) -> None:
    """Changes a byte of the layers of one entry."""
    content = bytearray(path.read_bytes())
    content[content.index(_layers(_digest(number)).tobytes()) + 5] ^= 0x10
    path.write_bytes(content)


def _refuse(*_: Any, **__: Any) -> NoReturn:
    raise PermissionError(errno.EACCES, "Permission denied")


def test_waiting_entries_are_found(tmp_path: Path) -> None:
    """An entry is found before it is written."""
    store = _store(tmp_path, "a")
    store.add(_entries(range(3)), 1.0)
    assert _files(tmp_path) == []
    assert _found(store, range(5)) == [0, 1, 2]


def test_written_entries_are_found(tmp_path: Path) -> None:
    """An entry is found after a flush by the store that wrote it."""
    store = _store(tmp_path, "a")
    _add(store, range(3))
    assert len(_files(tmp_path)) == 1
    assert _found(store, range(5)) == [0, 1, 2]


def test_the_next_store_finds_it(tmp_path: Path) -> None:
    """Entries of several files are found by a store that opens the folder later."""
    store = _store(tmp_path, "a")
    _add(store, [0, 1])
    _add(store, [2])
    assert _found(_store(str(tmp_path), "a"), range(5)) == [0, 1, 2]


def test_another_name_finds_nothing(tmp_path: Path) -> None:
    """Stores of several names share a folder, and no entries."""
    _add(_store(tmp_path, "a"), range(3))
    assert _found(_store(tmp_path, "b"), range(3)) == []


def test_nothing_is_created_before_the_first_writing(tmp_path: Path) -> None:
    """A store that is only read leaves no trace."""
    store = _store(tmp_path / "deep" / "folder", "a")
    store.refresh()
    store.flush()
    assert store.find(_lengths([_digest(0)])) == {}
    assert store.num_bytes == 0
    assert list(tmp_path.iterdir()) == []
    _add(store, [0])
    assert _found(store, [0]) == [0]


def test_new_files_are_seen_after_refresh(tmp_path: Path) -> None:
    """A store finds the entries that another one writes."""
    first, second = _store(tmp_path, "a"), _store(tmp_path, "a")
    for number in range(3):
        _add(first, [number])
        second.refresh()
        assert _found(second, range(3)) == list(range(number + 1))


def test_enough_for_a_file_is_written(tmp_path: Path) -> None:
    """Below the size nothing is written, and at it everything."""
    entries = _entries(range(3))
    last = entries.popitem()
    size = sum(array.nbytes for array in (*entries.values(), last[1]))
    store = _store(tmp_path, "a", segment_bytes=size)
    store.add(entries, 1.0)
    assert _files(tmp_path) == []
    store.add(dict([last]), 1.0)
    assert _found(_store(tmp_path, "a"), range(3)) == [0, 1, 2]


def test_nothing_is_written_twice(tmp_path: Path) -> None:
    """A flush without anything new makes no file."""
    store = _store(tmp_path, "a")
    _add(store, [0])
    store.flush()
    store.add({}, 0.0)
    store.flush()
    assert len(_files(tmp_path)) == 1


def test_tokens_and_seconds_are_of_all_files(tmp_path: Path) -> None:
    """The sums are over the files of all stores."""
    first, second = _store(tmp_path, "a"), _store(tmp_path, "a")
    _add(first, [0, 1])
    _add(second, [2])
    first.refresh()
    tokens = sum(len(array) for array in _entries(range(3)).values())
    for store in (first, second, _store(tmp_path, "a")):
        assert (store.num_tokens, store.seconds) == (tokens, 2.0)


def test_num_bytes_is_of_the_whole_folder(tmp_path: Path) -> None:
    """The size includes other subfolders and files of other programs."""
    _add(_store(tmp_path, "a"), [0])
    _add(_store(tmp_path, "b"), [0])
    (tmp_path / "notes.txt").write_text("mine")
    assert _store(tmp_path, "a").num_bytes == _size(tmp_path) > 2 * 4


@pytest.mark.parametrize("num_files", [0, 2, 4])
def test_a_limit_ends_writing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, num_files: int
) -> None:
    """The limit is never exceeded, one warning names it, and written entries are found."""
    _add(_store(tmp_path / "alike", "a"), [0])
    max_bytes = int(_size(tmp_path / "alike") * (num_files + 0.5))
    folder = tmp_path / "limited"
    store = _store(folder, "a", max_bytes=max_bytes)
    for number in range(0, 40, 5):
        _add(store, [number])
        assert _size(folder) <= max_bytes
    written = list(range(0, 5 * num_files, 5))
    assert _found(store, range(40)) == written
    assert _found(_store(folder, "a"), range(40)) == written
    assert len(_warnings(caplog)) == 1 and "reached its limit" in caplog.text


def test_the_limit_is_on_all_names(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The files of another model count."""
    _add(_store(tmp_path, "a"), range(3))
    store = _store(tmp_path, "b", max_bytes=_size(tmp_path) + 100)
    _add(store, range(3))
    assert _files(tmp_path / "b") == []
    assert len(_warnings(caplog)) == 1


def test_two_stores_keep_one_limit(tmp_path: Path) -> None:
    """Each store counts the files that the other has written, refreshed or not."""
    _add(_store(tmp_path / "alike", "a"), [0])
    max_bytes, folder = int(_size(tmp_path / "alike") * 4.5), tmp_path / "limited"
    stores = [_store(folder, "a", max_bytes=max_bytes) for _ in range(2)]
    for number in range(0, 40, 5):
        _add(stores[number % 2], [number])
    assert _size(folder) <= max_bytes
    assert len(_files(folder)) == 4


def test_a_full_disk_ends_writing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No partial file stays, one warning names the error, and written entries are found."""
    store = _store(tmp_path, "a")
    _add(store, [0, 1])
    whole = Path.write_bytes

    def write_half(path: Path, content: bytes) -> int:
        whole(path, content[: len(content) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", write_half)
    before = _size(tmp_path)
    for number in (2, 3):
        _add(store, [number])
    assert _size(tmp_path) == before and _files(tmp_path, ".partial") == []
    assert _found(store, range(4)) == [0, 1]
    assert len(_warnings(caplog)) == 1 and os.strerror(errno.ENOSPC) in caplog.text


def test_a_failed_renaming_ends_writing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that cannot be renamed leaves nothing behind."""
    store = _store(tmp_path, "a")
    _add(store, [0])
    monkeypatch.setattr(os, "replace", _refuse)
    _add(store, [1])
    assert _files(tmp_path, ".partial") == []
    assert _found(store, range(2)) == [0]
    assert len(_warnings(caplog)) == 1


@pytest.mark.parametrize("owner, name", [(Path, "mkdir"), (Path, "write_bytes"), (os, "open")])
def test_a_folder_that_is_only_read(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    owner: Any,
    name: str,
) -> None:
    """In a read-only folder, one warning says that nothing is written, and entries are found."""
    _add(_store(tmp_path, "a"), [0])
    store = _store(tmp_path, "a")
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, _refuse)
        for number in (1, 2):
            _add(store, [number])
    assert _found(store, range(3)) == [0]
    assert len(_warnings(caplog)) == 1 and "Permission denied" in caplog.text


@pytest.mark.parametrize("folder", ["file/folder", "link"])
def test_a_folder_that_cannot_be_made(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, folder: str
) -> None:
    """A folder below a file, or behind a broken link, costs one warning and nothing else."""
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "link").symlink_to(tmp_path / "file" / "nowhere")
    store = _store(tmp_path / folder, "a")
    for number in range(2):
        _add(store, [number])
    assert _found(store, range(2)) == []
    assert len(_warnings(caplog)) == 1


def test_a_file_system_without_locks(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without locks nothing is written."""

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError("FileSystem does not appear to support flock")

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    store = _store(tmp_path, "a")
    _add(store, [0])
    assert _files(tmp_path) == []
    assert len(_warnings(caplog)) == 1 and "flock" in caplog.text


def test_a_changed_file_is_set_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The entries of a changed file are missing, one warning names it, and other files stay."""
    store = _store(tmp_path, "a")
    _add(store, [0, 1])
    (damaged,) = _files(tmp_path)
    _add(store, [2])
    _flip(damaged, 1)
    store = _store(tmp_path, "a")
    assert store.find(_lengths([_digest(1)])) == {}
    assert _found(store, [0]) == []
    for _ in range(2):
        store.refresh()
        assert _found(store, range(3)) == [2]
    assert [path.stem for path in _files(tmp_path, ".damaged")] == [damaged.stem]
    assert len(_files(tmp_path)) == 1
    assert len(_warnings(caplog)) == 1 and "set aside" in caplog.text


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_cut_file_is_set_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, share: float
) -> None:
    """A cut file is noticed when the folder is opened, with one warning, and other files stay."""
    store = _store(tmp_path, "a")
    _add(store, [0, 1])
    (damaged,) = _files(tmp_path)
    _add(store, [2])
    content = damaged.read_bytes()
    damaged.write_bytes(content[: int(share * len(content))])
    store = _store(tmp_path, "a")
    for _ in range(2):
        assert _found(store, range(3)) == [2]
        store.refresh()
    assert len(_files(tmp_path, ".damaged")) == 1
    assert len(_warnings(caplog)) == 1
    caplog.clear()
    assert _found(_store(tmp_path, "a"), range(3)) == [2]
    assert _warnings(caplog) == []


def test_damaged_entries_can_be_added_again(tmp_path: Path) -> None:
    """Later stores find the entries that were computed anew."""
    _add(_store(tmp_path, "a"), [0, 1])
    _flip(_files(tmp_path)[0], 0)
    store = _store(tmp_path, "a")
    assert store.find(_lengths([_digest(0)])) == {}
    _add(store, [0, 1])
    assert _found(store, range(2)) == [0, 1]
    assert _found(_store(tmp_path, "a"), range(2)) == [0, 1]


def test_an_entry_that_two_files_have_survives_the_damage_of_one(tmp_path: Path) -> None:
    """An entry that two processes have written is found in the other file."""
    stores = [_store(tmp_path, "a") for _ in range(2)]
    for store in stores:
        _add(store, [0])
    store = _store(tmp_path, "a")
    _flip(_files(tmp_path)[0], 0)
    for store in (_store(tmp_path, "a"), _store(tmp_path, "a")):
        assert _found(store, [0]) == [0]


def test_a_file_that_was_set_aside_by_another_is_no_trouble(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Only the first store to notice a damaged file warns of it."""
    _add(_store(tmp_path, "a"), [0])
    _flip(_files(tmp_path)[0], 0)
    for store in [_store(tmp_path, "a"), _store(tmp_path, "a")]:
        assert store.find(_lengths([_digest(0)])) == {}
    assert len(_warnings(caplog)) == 1


def test_a_damaged_file_may_have_to_stay(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a read-only folder, a damaged file costs one warning and is not read."""
    _add(_store(tmp_path, "a"), [0])
    _flip(_files(tmp_path)[0], 0)
    store = _store(tmp_path, "a")
    monkeypatch.setattr(os, "replace", _refuse)
    for _ in range(2):
        assert store.find(_lengths([_digest(0)])) == {}
        store.refresh()
    assert len(_files(tmp_path)) == 1
    assert len(_warnings(caplog)) == 1


def test_a_file_that_may_not_be_read_is_not_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file without permission to read it stays for those who have it."""
    _add(_store(tmp_path, "a"), [0])
    with monkeypatch.context() as patch:
        for owner, name in ((h5py, "File"), (builtins, "open"), (io, "open"), (os, "open")):
            patch.setattr(owner, name, _refuse)
        assert _found(_store(tmp_path, "a"), [0]) == []
    assert _files(tmp_path, ".damaged") == []
    assert _found(_store(tmp_path, "a"), [0]) == [0]


@pytest.mark.skipif(sys.platform != "linux", reason="counts open files by /proc")
def test_more_files_than_can_be_open_are_not_damaged(tmp_path: Path) -> None:
    """A folder may have more files than a process may open."""
    import resource

    store = _store(tmp_path, "a")
    for number in range(40):
        _add(store, [number])
    del store
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    num_open = len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (num_open + 20, limits[1]))
    try:
        _found(_store(tmp_path, "a"), range(40))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert _files(tmp_path, ".damaged") == []
    assert _found(_store(tmp_path, "a"), range(40)) == list(range(40))


def test_partial_files_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    """The next writing removes partial files, also in the subfolders of other names."""
    for name in ("a", "b"):
        _add(_store(tmp_path, name), [0])
        (tmp_path / name / ("0123456789abcdef" * 2 + ".partial")).write_bytes(b"half")
    store = _store(tmp_path, "a")
    assert _found(store, [0]) == [0]
    _add(store, [1])
    assert _files(tmp_path, ".partial") == []
    assert _found(store, range(2)) == [0, 1]


def test_files_of_others_are_not_removed(tmp_path: Path) -> None:
    """A folder with files of other programs loses none of them."""
    names = ["film.partial", "downloads/film.partial", "mine.hdf5", "downloads/mine.hdf5"]
    (tmp_path / "downloads").mkdir()
    for name in names:
        (tmp_path / name).write_text("half a film")
    _add(_store(tmp_path, "a"), [0])
    _found(_store(tmp_path, "a"), [0])
    assert [name for name in names if not (tmp_path / name).exists()] == []


@pytest.mark.parametrize("with_root", [False, True])
def test_files_may_be_deleted_at_any_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, with_root: bool
) -> None:
    """Deleted entries are missing without a warning, and the next writing makes the folder."""
    root = tmp_path / "root"
    store = _store(root, "a")
    _add(store, [0, 1])
    assert _found(store, [0]) == [0]
    shutil.rmtree(root if with_root else root / "a")
    store.refresh()
    assert _found(store, range(2)) == []
    _add(store, [1, 2])
    assert _found(store, range(3)) == [1, 2]
    assert _found(_store(root, "a"), range(3)) == [1, 2]
    assert _warnings(caplog) == []


def test_a_store_that_is_deleted_has_written(tmp_path: Path) -> None:
    """Entries that wait are written when the store is deleted."""
    store = _store(tmp_path, "a")
    store.add(_entries([0]), 1.0)
    del store
    assert _found(_store(tmp_path, "a"), [0]) == [0]


def add_and_end(folder: str, how: str) -> None:
    """Adds entries in a process that ends without a flush."""
    global unflushed
    unflushed = _store(folder, "a")
    unflushed.add(_entries([0, 1]), 1.0)
    if how == "exit":
        sys.exit(3)
    if how == "error":
        sys.excepthook = lambda *_: None
        raise KeyboardInterrupt


@pytest.mark.parametrize("how", ["end", "exit", "error"])
def test_a_process_that_ends_has_written(tmp_path: Path, how: str) -> None:
    """Entries that wait are written at the end of a process, by an error as well."""
    _start("add_and_end", str(tmp_path), how).wait()
    assert _found(_store(tmp_path, "a"), range(3)) == [0, 1]


def _delete_when_looked_at(path: Path, when: str, patch: pytest.MonkeyPatch) -> None:
    """Deletes a file just before or after its size is asked for, as another process may."""
    lstat = os.lstat

    def stat_now(asked: Any, *arguments: Any, **options: Any) -> os.stat_result:
        is_path = str(asked) == str(path)
        if is_path and when == "before" and os.path.exists(path):
            os.unlink(path)
        result = lstat(asked, *arguments, **options)
        if is_path and when == "after":
            os.unlink(path)
        return result

    patch.setattr(os, "lstat", stat_now)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_file_that_goes_while_sizes_are_added_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """A store writes while another model's subfolder is deleted."""
    _add(_store(tmp_path, "b"), [0])
    store = _store(tmp_path, "a", max_bytes=10**6)
    with monkeypatch.context() as patch:
        _delete_when_looked_at(_files(tmp_path)[0], when, patch)
        _add(store, [0])
    assert _warnings(caplog) == [] and not _files(tmp_path / "b")
    assert _found(_store(tmp_path, "a"), [0]) == [0]


@pytest.mark.parametrize("when", ["before", "after"])
def test_sizes_can_be_added_up_while_files_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """The size is that of the files that are left."""
    store = _store(tmp_path, "a")
    _add(store, [0])
    _add(store, [1])
    first, second = _files(tmp_path)
    size = second.stat().st_size
    with monkeypatch.context() as patch:
        _delete_when_looked_at(first, when, patch)
        assert store.num_bytes >= size
    assert not first.exists()


def write_and_read(folder: str, group: str, other: str) -> None:
    """Writes and reads beside another process, entries of its own and entries of both."""
    store = _store(folder, "a", segment_bytes=400)
    for number in range(30):
        store.add(_entries([number], int(group)), 0.1)
        store.add(_entries([number % 7], 9), 0.1)
        store.refresh()
        _found(store, range(30), int(other))
        _found(store, range(7), 9)
    store.flush()
    assert _found(store, range(30), int(group)) == list(range(30))


def test_processes_write_and_read_at_once(tmp_path: Path) -> None:
    """Every entry that a process reads is right, and at the end all are there."""
    processes = [
        _start("write_and_read", str(tmp_path), *groups) for groups in (("1", "2"), ("2", "1"))
    ]
    store = _store(tmp_path, "a")
    while any(process.poll() is None for process in processes):
        store.refresh()
        _found(store, range(30), 1)
        time.sleep(0.01)
    assert [process.returncode for process in processes] == [0, 0]
    store = _store(tmp_path, "a")
    for group, count in ((1, 30), (2, 30), (9, 7)):
        assert _found(store, range(count), group) == list(range(count))
    assert _files(tmp_path, ".damaged") == _files(tmp_path, ".partial") == []


def write_for_ever(folder: str, group: str) -> None:
    """Writes a file for each entry until the process is killed."""
    store, number = _store(folder, "a", segment_bytes=1), 0
    while True:
        store.add(_entries([number], int(group)), 0.1)
        number += 1


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_a_killed_process_leaves_nothing_wrong(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """After a process is killed, each file is complete, and the next process goes on writing."""
    for group in range(3):
        process = _start("write_for_ever", str(tmp_path), str(group))
        while process.poll() is None and len(_files(tmp_path)) < 10 * (group + 1):
            time.sleep(0.003 * group)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    stored = 0
    for path in _files(tmp_path):
        with h5py.File(path, "r") as file:
            stored += len(file["digests"])
    assert stored >= 30
    store = _store(tmp_path, "a")
    _add(store, [])
    found = [_found(store, range(stored), group) for group in range(3)]
    assert sum(map(len, found)) == stored
    # Entries are written in order: nothing is missing before the last.
    assert found == [list(range(len(numbers))) for numbers in found]
    assert _warnings(caplog) == []


def test_an_interrupted_process_leaves_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in the middle of writing is raised and leaves no partial file."""

    def interrupt(path: Path, content: bytes) -> Optional[int]:
        with open(path, "wb") as file:
            file.write(content[:100])
        raise KeyboardInterrupt

    store = _store(tmp_path, "a")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", interrupt)
        with pytest.raises(KeyboardInterrupt):
            _add(store, [0])
    assert _files(tmp_path, ".partial") == _files(tmp_path) == []
    _add(store, [1])
    assert _found(_store(tmp_path, "a"), [1]) == [1]


def test_entries_of_several_files_are_found_together(tmp_path: Path) -> None:
    """One call finds waiting entries and those of several files, and leaves out the others."""
    store = _store(tmp_path, "a")
    _add(store, [0, 1])
    _add(store, [2, 3])
    store.add(_entries([4]), 1.0)
    assert _found(store, [5, 4, 0, 3, 0, 2]) == [4, 0, 3, 2]
    assert store.find({}) == {}
