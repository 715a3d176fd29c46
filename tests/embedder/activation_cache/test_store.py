"""Layers of sentences in a folder that several processes use, damage and delete."""

import builtins
import errno
import io
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any, NoReturn, Optional

import h5py
import pytest

from allennlp_elmo_plugin.embedder.activation_cache.store import ActivationStore
from allennlp_elmo_plugin.io.staging import PREFIX
from tests.embedder.activation_cache.entries import (
    add_file,
    digest_of,
    entries_of,
    files_in,
    find_right,
    layers_of,
    leftovers_in,
    lengths_of,
    open_store,
    size_of,
    start_process,
    warnings_in,
)

unflushed: Optional[ActivationStore] = None


def _flip(path: Path, number: int) -> None:
    """Changes a byte of the layers of one entry."""
    content = bytearray(path.read_bytes())
    content[content.index(layers_of(digest_of(number)).tobytes()) + 5] ^= 0x10
    path.write_bytes(content)


def _refuse(*_: Any, **__: Any) -> NoReturn:
    raise PermissionError(errno.EACCES, "Permission denied")


def test_waiting_entries_are_found(tmp_path: Path) -> None:
    """An entry is found before it is written."""
    store = open_store(tmp_path, "a")
    store.add(entries_of(range(3)), 1.0)
    assert files_in(tmp_path) == []
    assert find_right(store, range(5)) == [0, 1, 2]


def test_written_entries_are_found(tmp_path: Path) -> None:
    """An entry is found after a flush by the store that wrote it."""
    store = open_store(tmp_path, "a")
    add_file(store, range(3))
    assert len(files_in(tmp_path)) == 1
    assert find_right(store, range(5)) == [0, 1, 2]


def test_the_next_store_finds_it(tmp_path: Path) -> None:
    """Entries of several files are found by a store that opens the folder later."""
    store = open_store(tmp_path, "a")
    add_file(store, [0, 1])
    add_file(store, [2])
    assert find_right(open_store(str(tmp_path), "a"), range(5)) == [0, 1, 2]


def test_another_name_finds_nothing(tmp_path: Path) -> None:
    """Stores of several names share a folder, and no entries."""
    add_file(open_store(tmp_path, "a"), range(3))
    assert find_right(open_store(tmp_path, "b"), range(3)) == []


def test_nothing_is_created_before_the_first_writing(tmp_path: Path) -> None:
    """A store that is only read leaves no trace."""
    store = open_store(tmp_path / "deep" / "folder", "a")
    store.refresh()
    store.flush()
    assert store.find(lengths_of([digest_of(0)])) == {}
    assert store.num_bytes == 0
    assert list(tmp_path.iterdir()) == []
    add_file(store, [0])
    assert find_right(store, [0]) == [0]


def test_new_files_are_seen_after_refresh(tmp_path: Path) -> None:
    """A store finds the entries that another one writes."""
    first, second = open_store(tmp_path, "a"), open_store(tmp_path, "a")
    for number in range(3):
        add_file(first, [number])
        second.refresh()
        assert find_right(second, range(3)) == list(range(number + 1))


def test_enough_for_a_file_is_written(tmp_path: Path) -> None:
    """Below the size nothing is written, and at it everything."""
    entries = entries_of(range(3))
    last = entries.popitem()
    size = sum(array.nbytes for array in (*entries.values(), last[1]))
    store = open_store(tmp_path, "a", segment_bytes=size)
    store.add(entries, 1.0)
    assert files_in(tmp_path) == []
    store.add(dict([last]), 1.0)
    assert find_right(open_store(tmp_path, "a"), range(3)) == [0, 1, 2]


def test_nothing_is_written_twice(tmp_path: Path) -> None:
    """A flush without anything new makes no file."""
    store = open_store(tmp_path, "a")
    add_file(store, [0])
    store.flush()
    store.add({}, 0.0)
    store.flush()
    assert len(files_in(tmp_path)) == 1


def test_tokens_and_seconds_are_of_all_files(tmp_path: Path) -> None:
    """The sums are over the files of all stores."""
    first, second = open_store(tmp_path, "a"), open_store(tmp_path, "a")
    add_file(first, [0, 1])
    add_file(second, [2])
    first.refresh()
    tokens = sum(len(array) for array in entries_of(range(3)).values())
    for store in (first, second, open_store(tmp_path, "a")):
        assert (store.num_tokens, store.seconds) == (tokens, 2.0)


def test_num_bytes_is_of_the_whole_folder(tmp_path: Path) -> None:
    """The size includes other subfolders and files of other programs."""
    add_file(open_store(tmp_path, "a"), [0])
    add_file(open_store(tmp_path, "b"), [0])
    (tmp_path / "notes.txt").write_text("mine")
    assert open_store(tmp_path, "a").num_bytes == size_of(tmp_path) > 2 * 4


@pytest.mark.parametrize("num_files", [0, 2, 4])
def test_a_limit_ends_writing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, num_files: int
) -> None:
    """The limit is never exceeded, one warning names it, and written entries are found."""
    add_file(open_store(tmp_path / "alike", "a"), [0])
    max_bytes = int(size_of(tmp_path / "alike") * (num_files + 0.5))
    folder = tmp_path / "limited"
    store = open_store(folder, "a", max_bytes=max_bytes)
    for number in range(0, 40, 5):
        add_file(store, [number])
        assert size_of(folder) <= max_bytes
    written = list(range(0, 5 * num_files, 5))
    assert find_right(store, range(40)) == written
    assert find_right(open_store(folder, "a"), range(40)) == written
    assert len(warnings_in(caplog)) == 1 and "reached its limit" in caplog.text


def test_the_limit_is_on_all_names(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The files of another model count."""
    add_file(open_store(tmp_path, "a"), range(3))
    store = open_store(tmp_path, "b", max_bytes=size_of(tmp_path) + 100)
    add_file(store, range(3))
    assert files_in(tmp_path / "b") == []
    assert len(warnings_in(caplog)) == 1


def test_two_stores_keep_one_limit(tmp_path: Path) -> None:
    """Each store counts the files that the other has written, refreshed or not."""
    add_file(open_store(tmp_path / "alike", "a"), [0])
    max_bytes, folder = int(size_of(tmp_path / "alike") * 4.5), tmp_path / "limited"
    stores = [open_store(folder, "a", max_bytes=max_bytes) for _ in range(2)]
    for number in range(0, 40, 5):
        add_file(stores[number % 2], [number])
    assert size_of(folder) <= max_bytes
    assert len(files_in(folder)) == 4


def test_a_full_disk_ends_writing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No partial file stays, one warning names the error, and written entries are found."""
    store = open_store(tmp_path, "a")
    add_file(store, [0, 1])
    whole = Path.write_bytes

    def write_half(path: Path, content: bytes) -> int:
        whole(path, content[: len(content) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", write_half)
    before = size_of(tmp_path)
    for number in (2, 3):
        add_file(store, [number])
    assert size_of(tmp_path) == before and leftovers_in(tmp_path) == []
    assert find_right(store, range(4)) == [0, 1]
    assert len(warnings_in(caplog)) == 1 and os.strerror(errno.ENOSPC) in caplog.text


def test_a_failed_renaming_ends_writing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that cannot be renamed leaves nothing behind."""
    store = open_store(tmp_path, "a")
    add_file(store, [0])
    monkeypatch.setattr(os, "replace", _refuse)
    add_file(store, [1])
    assert leftovers_in(tmp_path) == []
    assert find_right(store, range(2)) == [0]
    assert len(warnings_in(caplog)) == 1


@pytest.mark.parametrize("owner, name", [(Path, "mkdir"), (Path, "write_bytes"), (os, "open")])
def test_a_folder_that_is_only_read(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    owner: Any,
    name: str,
) -> None:
    """In a read-only folder, one warning says that nothing is written, and entries are found."""
    add_file(open_store(tmp_path, "a"), [0])
    store = open_store(tmp_path, "a")
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, _refuse)
        for number in (1, 2):
            add_file(store, [number])
    assert find_right(store, range(3)) == [0]
    assert len(warnings_in(caplog)) == 1 and "Permission denied" in caplog.text


@pytest.mark.parametrize("folder", ["file/folder", "link"])
def test_a_folder_that_cannot_be_made(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, folder: str
) -> None:
    """A folder below a file, or behind a broken link, costs one warning and nothing else."""
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "link").symlink_to(tmp_path / "file" / "nowhere")
    store = open_store(tmp_path / folder, "a")
    for number in range(2):
        add_file(store, [number])
    assert find_right(store, range(2)) == []
    assert len(warnings_in(caplog)) == 1


def test_a_file_system_without_locks(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without locks nothing is written."""

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError("FileSystem does not appear to support flock")

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    store = open_store(tmp_path, "a")
    add_file(store, [0])
    assert files_in(tmp_path) == []
    assert len(warnings_in(caplog)) == 1 and "flock" in caplog.text


def test_a_changed_file_is_set_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The entries of a changed file are missing, one warning names it, and other files stay."""
    store = open_store(tmp_path, "a")
    add_file(store, [0, 1])
    (damaged,) = files_in(tmp_path)
    add_file(store, [2])
    _flip(damaged, 1)
    store = open_store(tmp_path, "a")
    assert store.find(lengths_of([digest_of(1)])) == {}
    assert find_right(store, [0]) == []
    for _ in range(2):
        store.refresh()
        assert find_right(store, range(3)) == [2]
    assert [path.stem for path in files_in(tmp_path, ".damaged")] == [damaged.stem]
    assert len(files_in(tmp_path)) == 1
    assert len(warnings_in(caplog)) == 1 and "set aside" in caplog.text


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_cut_file_is_set_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, share: float
) -> None:
    """A cut file is noticed when the folder is opened, with one warning, and other files stay."""
    store = open_store(tmp_path, "a")
    add_file(store, [0, 1])
    (damaged,) = files_in(tmp_path)
    add_file(store, [2])
    content = damaged.read_bytes()
    damaged.write_bytes(content[: int(share * len(content))])
    store = open_store(tmp_path, "a")
    for _ in range(2):
        assert find_right(store, range(3)) == [2]
        store.refresh()
    assert len(files_in(tmp_path, ".damaged")) == 1
    assert len(warnings_in(caplog)) == 1
    caplog.clear()
    assert find_right(open_store(tmp_path, "a"), range(3)) == [2]
    assert warnings_in(caplog) == []


def test_damaged_entries_can_be_added_again(tmp_path: Path) -> None:
    """Later stores find the entries that were computed anew."""
    add_file(open_store(tmp_path, "a"), [0, 1])
    _flip(files_in(tmp_path)[0], 0)
    store = open_store(tmp_path, "a")
    assert store.find(lengths_of([digest_of(0)])) == {}
    add_file(store, [0, 1])
    assert find_right(store, range(2)) == [0, 1]
    assert find_right(open_store(tmp_path, "a"), range(2)) == [0, 1]


def test_an_entry_that_two_files_have_survives_the_damage_of_one(tmp_path: Path) -> None:
    """An entry that two processes have written is found in the other file."""
    stores = [open_store(tmp_path, "a") for _ in range(2)]
    for store in stores:
        add_file(store, [0])
    store = open_store(tmp_path, "a")
    _flip(files_in(tmp_path)[0], 0)
    for store in (open_store(tmp_path, "a"), open_store(tmp_path, "a")):
        assert find_right(store, [0]) == [0]


def test_a_file_that_was_set_aside_by_another_is_no_trouble(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Only the first store to notice a damaged file warns of it."""
    add_file(open_store(tmp_path, "a"), [0])
    _flip(files_in(tmp_path)[0], 0)
    for store in [open_store(tmp_path, "a"), open_store(tmp_path, "a")]:
        assert store.find(lengths_of([digest_of(0)])) == {}
    assert len(warnings_in(caplog)) == 1


def test_a_damaged_file_may_have_to_stay(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a read-only folder, a damaged file costs one warning and is not read."""
    add_file(open_store(tmp_path, "a"), [0])
    _flip(files_in(tmp_path)[0], 0)
    store = open_store(tmp_path, "a")
    monkeypatch.setattr(os, "replace", _refuse)
    for _ in range(2):
        assert store.find(lengths_of([digest_of(0)])) == {}
        store.refresh()
    assert len(files_in(tmp_path)) == 1
    assert len(warnings_in(caplog)) == 1


def test_a_file_that_may_not_be_read_is_not_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file without permission to read it stays for those who have it."""
    add_file(open_store(tmp_path, "a"), [0])
    with monkeypatch.context() as patch:
        for owner, name in ((h5py, "File"), (builtins, "open"), (io, "open"), (os, "open")):
            patch.setattr(owner, name, _refuse)
        assert find_right(open_store(tmp_path, "a"), [0]) == []
    assert files_in(tmp_path, ".damaged") == []
    assert find_right(open_store(tmp_path, "a"), [0]) == [0]


@pytest.mark.skipif(sys.platform != "linux", reason="counts open files by /proc")
def test_more_files_than_can_be_open_are_not_damaged(tmp_path: Path) -> None:
    """A folder may have more files than a process may open."""
    import resource

    store = open_store(tmp_path, "a")
    for number in range(40):
        add_file(store, [number])
    del store
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    num_open = len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (num_open + 20, limits[1]))
    try:
        find_right(open_store(tmp_path, "a"), range(40))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert files_in(tmp_path, ".damaged") == []
    assert find_right(open_store(tmp_path, "a"), range(40)) == list(range(40))


@pytest.mark.skipif(os.name != "posix", reason="needs pipes and symbolic links")
def test_what_is_no_file_of_layers_costs_no_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Pipes, folders, links and hidden files named like files of layers stop no store."""
    add_file(open_store(tmp_path, "a"), [0])
    names = [digit * 32 + ".hdf5" for digit in "0123456"]
    pipe, folder, nowhere, device, loop, link, own = (tmp_path / "a" / name for name in names)
    os.mkfifo(pipe)
    folder.mkdir()
    nowhere.symlink_to("nowhere")
    device.symlink_to("/dev/zero")
    loop.symlink_to(loop.name)
    link.symlink_to(files_in(tmp_path)[-1])
    own.write_text("no layers")
    hidden = [tmp_path / "a" / name for name in (".hidden.hdf5", "." + names[0], "mine.hdf5")]
    for path in hidden:
        path.write_text("mine")
    started = time.monotonic()
    for _ in range(3):
        store = open_store(tmp_path, "a")
        assert find_right(store, range(2)) == [0]
        store.refresh()
        add_file(store, [0])
    add_file(store, [1])
    assert find_right(open_store(tmp_path, "a"), range(2)) == [0, 1]
    assert time.monotonic() - started < 5.0
    assert [path.read_text() for path in hidden] == ["mine"] * 3
    set_aside = {path.stem[0] for path in files_in(tmp_path, ".damaged")}
    assert set_aside == {"0", "1", "3", "6"}


def test_a_listing_is_not_repeated_without_a_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that was last changed some time ago is listed once, and again after a change."""
    add_file(open_store(tmp_path, "a"), [0])
    os.utime(tmp_path / "a", (1e9, 1e9))
    listed = []
    whole = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: listed.append(path) or whole(path))
    store = open_store(tmp_path, "a")
    for _ in range(5):
        store.refresh()
        assert find_right(store, range(2)) == [0]
    assert len(listed) == 1
    add_file(open_store(tmp_path, "a"), [1])
    store.refresh()
    assert find_right(store, range(2)) == [0, 1]


def test_partial_files_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    """The next writing removes partial files, also in the subfolders of other names."""
    for name in ("a", "b"):
        add_file(open_store(tmp_path, name), [0])
        killed = tmp_path / name / f"{PREFIX}killed"
        (killed / "new").mkdir(parents=True)
        (killed / ".lock").touch()
        (killed / "new" / "file.hdf5").write_bytes(b"half")
    store = open_store(tmp_path, "a")
    assert find_right(store, [0]) == [0]
    add_file(store, [1])
    assert leftovers_in(tmp_path) == []
    assert find_right(store, range(2)) == [0, 1]


def test_files_of_others_are_not_removed(tmp_path: Path) -> None:
    """A folder with files of other programs loses none of them."""
    names = ["film.partial", "downloads/film.partial", "mine.hdf5", "downloads/mine.hdf5"]
    (tmp_path / "downloads").mkdir()
    for name in names:
        (tmp_path / name).write_text("half a film")
    add_file(open_store(tmp_path, "a"), [0])
    find_right(open_store(tmp_path, "a"), [0])
    assert [name for name in names if not (tmp_path / name).exists()] == []


@pytest.mark.parametrize("with_root", [False, True])
def test_files_may_be_deleted_at_any_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, with_root: bool
) -> None:
    """Deleted entries are missing without a warning, and the next writing makes the folder."""
    root = tmp_path / "root"
    store = open_store(root, "a")
    add_file(store, [0, 1])
    assert find_right(store, [0]) == [0]
    shutil.rmtree(root if with_root else root / "a")
    store.refresh()
    assert find_right(store, range(2)) == []
    add_file(store, [1, 2])
    assert find_right(store, range(3)) == [1, 2]
    assert find_right(open_store(root, "a"), range(3)) == [1, 2]
    assert warnings_in(caplog) == []


def test_a_store_that_is_deleted_has_written(tmp_path: Path) -> None:
    """Entries that wait are written when the store is deleted."""
    store = open_store(tmp_path, "a")
    store.add(entries_of([0]), 1.0)
    del store
    assert find_right(open_store(tmp_path, "a"), [0]) == [0]


def add_and_end(folder: str, how: str) -> None:
    """Adds entries in a process that ends without a flush."""
    global unflushed
    unflushed = open_store(folder, "a")
    unflushed.add(entries_of([0, 1]), 1.0)
    if how == "exit":
        sys.exit(3)
    if how == "error":
        sys.excepthook = lambda *_: None
        raise KeyboardInterrupt


@pytest.mark.parametrize("how", ["end", "exit", "error"])
def test_a_process_that_ends_has_written(tmp_path: Path, how: str) -> None:
    """Entries that wait are written at the end of a process, by an error as well."""
    start_process("test_store", "add_and_end", str(tmp_path), how).wait()
    assert find_right(open_store(tmp_path, "a"), range(3)) == [0, 1]


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
    add_file(open_store(tmp_path, "b"), [0])
    store = open_store(tmp_path, "a", max_bytes=10**6)
    with monkeypatch.context() as patch:
        _delete_when_looked_at(files_in(tmp_path)[0], when, patch)
        add_file(store, [0])
    assert warnings_in(caplog) == [] and not files_in(tmp_path / "b")
    assert find_right(open_store(tmp_path, "a"), [0]) == [0]


@pytest.mark.parametrize("when", ["before", "after"])
def test_sizes_can_be_added_up_while_files_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """The size is that of the files that are left."""
    store = open_store(tmp_path, "a")
    add_file(store, [0])
    add_file(store, [1])
    first, second = files_in(tmp_path)
    size = second.stat().st_size
    with monkeypatch.context() as patch:
        _delete_when_looked_at(first, when, patch)
        assert store.num_bytes >= size
    assert not first.exists()


def write_and_read(folder: str, group: str, other: str) -> None:
    """Writes and reads beside another process, entries of its own and entries of both."""
    store = open_store(folder, "a", segment_bytes=400)
    for number in range(30):
        store.add(entries_of([number], int(group)), 0.1)
        store.add(entries_of([number % 7], 9), 0.1)
        store.refresh()
        find_right(store, range(30), int(other))
        find_right(store, range(7), 9)
    store.flush()
    assert find_right(store, range(30), int(group)) == list(range(30))


def test_processes_write_and_read_at_once(tmp_path: Path) -> None:
    """Every entry that a process reads is right, and at the end all are there."""
    processes = [
        start_process("test_store", "write_and_read", str(tmp_path), *groups)
        for groups in (("1", "2"), ("2", "1"))
    ]
    store = open_store(tmp_path, "a")
    while any(process.poll() is None for process in processes):
        store.refresh()
        find_right(store, range(30), 1)
        time.sleep(0.01)
    assert [process.returncode for process in processes] == [0, 0]
    store = open_store(tmp_path, "a")
    for group, count in ((1, 30), (2, 30), (9, 7)):
        assert find_right(store, range(count), group) == list(range(count))
    assert files_in(tmp_path, ".damaged") == leftovers_in(tmp_path) == []


def write_for_ever(folder: str, group: str) -> None:
    """Writes a file for each entry until the process is killed."""
    store, number = open_store(folder, "a", segment_bytes=1), 0
    while True:
        store.add(entries_of([number], int(group)), 0.1)
        number += 1


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_a_killed_process_leaves_nothing_wrong(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """After a process is killed, each file is complete, and the next process goes on writing."""
    for group in range(3):
        process = start_process("test_store", "write_for_ever", str(tmp_path), str(group))
        while process.poll() is None and len(files_in(tmp_path)) < 10 * (group + 1):
            time.sleep(0.003 * group)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    stored = 0
    for path in files_in(tmp_path):
        with h5py.File(path, "r") as file:
            stored += len(file["digests"])
    assert stored >= 30
    store = open_store(tmp_path, "a")
    add_file(store, [])
    found = [find_right(store, range(stored), group) for group in range(3)]
    assert sum(map(len, found)) == stored
    # Entries are written in order: nothing is missing before the last.
    assert found == [list(range(len(numbers))) for numbers in found]
    assert warnings_in(caplog) == []


def test_an_interrupted_process_leaves_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in the middle of writing is raised and leaves no partial file."""

    def interrupt(path: Path, content: bytes) -> Optional[int]:
        with open(path, "wb") as file:
            file.write(content[:100])
        raise KeyboardInterrupt

    store = open_store(tmp_path, "a")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", interrupt)
        with pytest.raises(KeyboardInterrupt):
            add_file(store, [0])
    assert leftovers_in(tmp_path) == files_in(tmp_path) == []
    add_file(store, [1])
    assert find_right(open_store(tmp_path, "a"), [1]) == [1]


def test_entries_of_several_files_are_found_together(tmp_path: Path) -> None:
    """One call finds waiting entries and those of several files, and leaves out the others."""
    store = open_store(tmp_path, "a")
    add_file(store, [0, 1])
    add_file(store, [2, 3])
    store.add(entries_of([4]), 1.0)
    assert find_right(store, [5, 4, 0, 3, 0, 2]) == [4, 0, 3, 2]
    assert store.find({}) == {}
