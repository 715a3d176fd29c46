"""Merging small files, beside readers, kills and users without permission."""

import os
import shutil
import signal
import threading
import time
from pathlib import Path
from typing import Any, NoReturn

import pytest

from allennlp_elmo_plugin.embedder.activation_cache import compaction
from tests.embedder.activation_cache.entries import (
    add_file,
    digest_of,
    entries_of,
    files_in,
    find_right,
    layers_of,
    open_store,
    size_of,
    start_process,
    warnings_in,
)


def _write_small(folder: Path, count: int, first: int = 0) -> None:
    """Writes a small file for each entry, without merging them."""
    store = open_store(folder, "a")
    store._waiting.merges = False
    for number in range(first, first + count):
        add_file(store, [number])


def test_many_small_files_become_one(tmp_path: Path) -> None:
    """A write merges them, and everything is found by old stores and new ones."""
    _write_small(tmp_path, 70)
    reader, store = open_store(tmp_path, "a"), open_store(tmp_path, "a")
    tokens, seconds = reader.num_tokens, reader.seconds
    add_file(store, [70])
    assert len(files_in(tmp_path)) == 1
    for each in (reader, store, open_store(tmp_path, "a")):
        assert find_right(each, range(72)) == list(range(71))
        assert each.num_tokens == tokens + len(layers_of(digest_of(70)))
        assert each.seconds == seconds + 1.0


def test_few_small_files_stay(tmp_path: Path) -> None:
    """A folder with few files is left as it is."""
    _write_small(tmp_path, 20)
    add_file(open_store(tmp_path, "a"), [20])
    assert len(files_in(tmp_path)) == 21


def test_files_stay_few(tmp_path: Path) -> None:
    """However many small files are written, few are there, and bytes are copied a few times."""
    store, copied = open_store(tmp_path, "a"), 0
    before = {}
    for number in range(400):
        add_file(store, [number])
        now = {path: path.stat().st_size for path in files_in(tmp_path)}
        copied += sum(size for path, size in now.items() if path not in before)
        before = now
        assert len(now) <= compaction.MIN_MERGED
    assert find_right(open_store(tmp_path, "a"), range(400)) == list(range(400))
    single = size_of(tmp_path)
    assert copied < 400 * 9000 + 6 * single


def test_large_files_are_not_copied(tmp_path: Path) -> None:
    """A file of half the usual size or more stays, and so does one larger than all others."""
    store = open_store(tmp_path, "a")
    add_file(store, range(1000, 8000))
    (large,) = files_in(tmp_path)
    _write_small(tmp_path, 64)
    add_file(store, [64])
    assert large in files_in(tmp_path) and len(files_in(tmp_path)) == 2
    size = large.stat().st_size
    assert size < store._folder.segment_bytes / 2


def test_the_limit_is_kept_while_files_are_merged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new file and the old ones together are never above the limit."""
    _write_small(tmp_path, 70)
    limit, sizes = size_of(tmp_path) + 30_000, []
    whole = compaction._replace

    def replace(*arguments: Any) -> None:
        sizes.append(size_of(tmp_path))
        whole(*arguments)

    monkeypatch.setattr(compaction, "_replace", replace)
    store = open_store(tmp_path, "a", max_bytes=limit, segment_bytes=10**6)
    store._folder = store._waiting.folder = store._folder._replace(segment_bytes=10**6)
    for number in range(70, 73):
        add_file(store, [number])
        assert size_of(tmp_path) <= limit
    assert sizes and max(sizes) <= limit
    assert find_right(open_store(tmp_path, "a"), range(73)) == list(range(73))


def test_damage_is_not_copied(tmp_path: Path) -> None:
    """A file with a changed byte is set aside, and does not get a right checksum."""
    _write_small(tmp_path, 70)
    damaged = next(
        path
        for path in files_in(tmp_path)
        if layers_of(digest_of(3)).tobytes() in path.read_bytes()
    )
    content = bytearray(damaged.read_bytes())
    content[content.index(layers_of(digest_of(3)).tobytes()) + 5] ^= 1
    damaged.write_bytes(content)
    add_file(open_store(tmp_path, "a"), [70])
    found = find_right(open_store(tmp_path, "a"), range(71))
    assert found == [number for number in range(71) if number != 3]
    assert len(files_in(tmp_path, ".damaged")) == 1


def test_files_that_cannot_be_deleted_are_not_merged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without permission to delete, writing goes on, and no sentence is stored twice."""
    _write_small(tmp_path, 70)
    store, unlink = open_store(tmp_path, "a"), Path.unlink
    files = set(files_in(tmp_path))

    def refuse(path: Path, **options: Any) -> None:
        if path in files:
            raise PermissionError(1, "Operation not permitted")
        unlink(path, **options)

    monkeypatch.setattr(Path, "unlink", refuse)
    for number in range(70, 73):
        add_file(store, [number])
    assert len(files_in(tmp_path)) == 73 and files <= set(files_in(tmp_path))
    assert find_right(open_store(tmp_path, "a"), range(73)) == list(range(73))
    assert warnings_in(caplog) == []


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs users")
def test_files_of_another_user_are_not_merged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a folder of several users, each one's files are their own."""
    _write_small(tmp_path, 70)
    monkeypatch.setattr(os, "geteuid", lambda: os.stat(tmp_path).st_uid + 1)
    add_file(open_store(tmp_path, "a"), [70])
    assert len(files_in(tmp_path)) == 71


class _Killed(BaseException):
    """The end of a process."""


@pytest.mark.parametrize("when", ["encode_segment", "write_segment", "_replace", "unlink"])
def test_a_kill_at_any_step_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Killed before or while small files are replaced, a process leaves every entry."""
    _write_small(tmp_path, 70)
    store, left = open_store(tmp_path, "a"), [20]

    def die(*_: Any, **__: Any) -> NoReturn:
        raise _Killed

    unlink = Path.unlink

    def unlink_some(path: Path, **options: Any) -> None:
        left[0] -= path.suffix == ".hdf5"
        if left[0] < 0:
            raise _Killed
        unlink(path, **options)

    with monkeypatch.context() as patch:
        if when == "unlink":
            patch.setattr(Path, "unlink", unlink_some)
        else:
            patch.setattr(compaction, when, die)
        with pytest.raises(_Killed):
            add_file(store, [70])
    assert find_right(open_store(tmp_path, "a"), range(71)) == list(range(71))
    add_file(open_store(tmp_path, "a"), [71])
    assert find_right(open_store(tmp_path, "a"), range(72)) == list(range(72))


def write_small_files(folder: str, group: str) -> None:
    """Writes and merges small files until the process is killed."""
    compaction.MIN_MERGED = 5
    store, number = open_store(folder, "a", segment_bytes=10**5), 0
    while True:
        store.add(entries_of([number], int(group)), 0.1)
        store.flush()
        number += 1


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_a_reader_finds_everything_while_others_merge(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Entries that were found once are found again, whatever two writers merge until a kill."""
    processes = [
        start_process("test_compaction", "write_small_files", str(tmp_path), group)
        for group in ("1", "2")
    ]
    store, seen = open_store(tmp_path, "a"), {1: 0, 2: 0}
    while min(seen.values()) < 40:
        assert all(process.poll() is None for process in processes)
        store.refresh()
        for group, count in seen.items():
            found = find_right(store, range(count + 20), group)
            assert found[:count] == list(range(count))
            seen[group] = len(found) if found == list(range(len(found))) else count
        time.sleep(0.001)
    for process in processes:
        process.send_signal(signal.SIGKILL)
        process.wait()
    store = open_store(tmp_path, "a")
    for group, count in seen.items():
        assert find_right(store, range(count), group) == list(range(count))
    assert warnings_in(caplog) == []


def test_threads_read_while_files_are_merged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that reads finds every entry while another one writes and merges."""
    monkeypatch.setattr(compaction, "MIN_MERGED", 5)
    store, end, lost = open_store(tmp_path, "a"), threading.Event(), []

    def read() -> None:
        while not end.is_set():
            count = written[0]
            lost.extend(set(range(count)) - set(find_right(store, range(count))))

    written = [0]
    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(100):
        add_file(store, [number])
        written[0] = number + 1
    end.set()
    for thread in threads:
        thread.join()
    assert lost == []


def test_a_folder_that_goes_while_files_are_merged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A subfolder that is deleted in the middle costs nothing but its entries."""
    _write_small(tmp_path, 70)
    store, whole = open_store(tmp_path, "a"), compaction.encode_segment

    def delete_and_encode(*arguments: Any) -> bytes:
        shutil.rmtree(tmp_path / "a")
        return whole(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(compaction, "encode_segment", delete_and_encode)
        add_file(store, [70])
    add_file(store, [71])
    assert find_right(store, range(72)) == [71]
    assert warnings_in(caplog) == []
