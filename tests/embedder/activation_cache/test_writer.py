"""Writing into a folder whose lock others hold, from stores that were deleted, and after a fork."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable

import pytest
from filelock import FileLock

from allennlp_elmo_plugin.embedder.activation_cache import waiting_layers, writer
from tests.embedder.activation_cache.entries import (
    add_file,
    digest_of,
    entries_of,
    files_in,
    find_right,
    leftovers_in,
    open_store,
    start_process,
    warnings_in,
)

fork_only = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@pytest.fixture(name="short", autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "LOCK_SECONDS", 0.2)


@pytest.fixture(name="holder")
def _holder(tmp_path: Path) -> Any:
    """Holds the lock of the folder until it is killed."""
    process = start_process("test_writer", "hold_lock", str(tmp_path))
    while not (tmp_path / "held").exists():
        time.sleep(0.01)
    yield process
    process.kill()
    process.wait()


def hold_lock(folder: str) -> None:
    """Holds the lock of a folder for ever."""
    with FileLock(os.path.join(folder, ".lock")):
        (Path(folder) / "held").touch()
        # As a process that was stopped by SIGSTOP does.
        threading.Event().wait()


def test_a_lock_that_is_held_for_long_costs_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, holder: "subprocess.Popen[bytes]"
) -> None:
    """Stores go on without writing, find what waits, and write it when the lock is free."""
    store = open_store(tmp_path, "a", segment_bytes=1)
    started = time.monotonic()
    for number in range(20):
        store.add(entries_of([number]), 1.0)
        store.flush()
    other = open_store(tmp_path, "b")
    other.add(entries_of([1]), 1.0)
    del other
    open_store(tmp_path, "b")
    assert time.monotonic() - started < 5.0
    assert find_right(store, range(21)) == list(range(20)) and files_in(tmp_path) == []
    (warning,) = warnings_in(caplog)
    assert f"'{tmp_path}'" in warning and "another process has held its lock" in warning
    holder.kill()
    holder.wait()
    store.flush()
    assert find_right(open_store(tmp_path, "a"), range(21)) == list(range(20))
    assert find_right(open_store(tmp_path, "b"), range(3)) == [1]
    assert len(warnings_in(caplog)) == 1


def test_only_so_much_waits_for_a_lock(
    tmp_path: Path, holder: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sentences that would take more memory are not kept, nor are those of many deleted stores."""
    monkeypatch.setattr(waiting_layers, "MAX_WAITING_BYTES", 1000)
    monkeypatch.setattr(writer, "MAX_WAITING_BYTES", 1000)
    for _ in range(10):
        store = open_store(tmp_path, "a")
        for number in range(20):
            store.add(entries_of([number]), 1.0)
        assert len(find_right(store, range(20))) < 8
        store.flush()
    waiting = store._writer._waiting
    assert sum(each.num_bytes for each in waiting) < 4000


@pytest.mark.parametrize("how", ["end", "signal"])
def test_a_process_ends_though_the_lock_is_held(
    tmp_path: Path, holder: "subprocess.Popen[bytes]", how: str
) -> None:
    """A process that has layers to write when it ends waits for a bounded time."""
    process = start_process("test_writer", "add_and_end", str(tmp_path), how)
    assert process.wait(timeout=120) == 0
    assert files_in(tmp_path) == []


def add_and_end(folder: str, how: str) -> None:
    """Adds entries in a process that ends, with a handler of a signal that flushes."""
    writer.LOCK_SECONDS = 0.5
    store = open_store(folder, "a")
    store.add(entries_of([0, 1]), 1.0)
    if how == "signal":
        signal.signal(signal.SIGALRM, lambda *_: store.flush())
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        store.flush()


def _in_cycle(store: Any) -> None:
    """Makes a store that only the garbage collector deletes."""
    cycle = [store]
    cycle.append(cycle)


@pytest.mark.parametrize("name", ["a", "b"])
def test_a_store_that_goes_while_another_writes_loses_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The garbage collector deletes a store in the locked section of another one."""
    gone = open_store(tmp_path, name)
    gone.add(entries_of([5]), 1.0)
    _in_cycle(gone)
    del gone
    whole: Callable = writer.encode_segment

    def collect_and_encode(*arguments: Any) -> bytes:
        gc.collect()
        content: bytes = whole(*arguments)
        return content

    monkeypatch.setattr(writer, "encode_segment", collect_and_encode)
    store = open_store(tmp_path, "a")
    add_file(store, [1])
    store.flush()
    for each, number in (("a", 1), (name, 5)):
        assert find_right(open_store(tmp_path, each), [number]) == [number]
    assert warnings_in(caplog) == []


def end_with_deleted_stores(folder: str) -> None:
    """Ends a process with stores in cycles, in globals and deleted."""
    for number in range(3):
        store = open_store(folder, "a")
        store.add(entries_of([number]), 1.0)
        _in_cycle(store)
    globals()["last"] = open_store(folder, "a")
    globals()["last"].add(entries_of([3]), 1.0)
    deleted = open_store(folder, "b")
    deleted.add(entries_of([4]), 1.0)
    del deleted


def test_the_end_of_a_process_loses_nothing(tmp_path: Path) -> None:
    """Stores that are deleted at the end of a process, or before, have written."""
    assert start_process("test_writer", "end_with_deleted_stores", str(tmp_path)).wait() == 0
    assert find_right(open_store(tmp_path, "a"), range(5)) == [0, 1, 2, 3]
    assert find_right(open_store(tmp_path, "b"), range(5)) == [4]


def test_a_signal_handler_may_flush(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flush in the middle of a flush neither waits for itself nor writes twice."""
    whole: Callable = writer.write_segment
    store = open_store(tmp_path, "a")

    def flush_and_write(*arguments: Any) -> Path:
        store.flush()
        path: Path = whole(*arguments)
        return path

    monkeypatch.setattr(writer, "write_segment", flush_and_write)
    add_file(store, [1])
    assert len(files_in(tmp_path)) == 1
    assert find_right(store, [1]) == [1]


@fork_only
def test_a_forked_process_writes_what_it_adds(tmp_path: Path) -> None:
    """A forked process leaves to its parent what waited, though a thread was writing."""
    store, inside, done = open_store(tmp_path, "a"), threading.Event(), threading.Event()
    store.add(entries_of([0]), 1.0)
    whole = writer.write_segment

    def wait_and_write(*arguments: Any) -> Path:
        inside.set()
        done.wait()
        path: Path = whole(*arguments)
        return path

    writer.write_segment = wait_and_write
    try:
        thread = threading.Thread(target=store.flush)
        thread.start()
        inside.wait()
        child = os.fork()
        if not child:
            writer.write_segment = whole
            signal.alarm(60)
            store.add(entries_of([1]), 1.0)
            # The parent's thread holds the lock of the folder.
            store.flush()
            os._exit(find_right(store, range(2)) != [1])
        assert os.waitpid(child, 0)[1] == 0
    finally:
        done.set()
        thread.join()
        writer.write_segment = whole
    child = os.fork()
    if not child:
        signal.alarm(60)
        add_file(store, [2])
        os._exit(find_right(store, range(3)) != [0, 2])
    assert os.waitpid(child, 0)[1] == 0
    store.flush()
    assert find_right(store, range(3)) == [0, 2]
    assert len(files_in(tmp_path)) == 2


@fork_only
def test_a_process_can_be_forked_while_threads_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Children that are forked at random moments write and end."""
    monkeypatch.setattr(writer, "LOCK_SECONDS", 50.0)
    store, end = open_store(tmp_path, "a"), threading.Event()

    def write() -> None:
        number = 100
        while not end.is_set():
            add_file(store, [number])
            number += 1
            # The lock has no queue.
            time.sleep(0.01)

    thread = threading.Thread(target=write)
    thread.start()
    statuses = []
    for number in range(10):
        child = os.fork()
        if not child:
            signal.alarm(60)
            mine = open_store(tmp_path, "b")
            add_file(mine, [number])
            os._exit(find_right(mine, [number]) != [number])
        statuses.append(os.waitpid(child, 0)[1])
    end.set()
    thread.join()
    assert statuses == [0] * 10
    assert find_right(open_store(tmp_path, "b"), range(10)) == list(range(10))


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on the size of files")
def test_a_full_disk_leaves_no_part(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """When the system refuses to make a file longer, one warning says so, and no part stays."""
    import resource

    store, limits = open_store(tmp_path, "a"), resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        for number in range(3):
            add_file(store, [number])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert leftovers_in(tmp_path) == files_in(tmp_path) == []
    (warning,) = warnings_in(caplog)
    assert "only read from now on" in warning


def test_a_folder_that_becomes_a_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A subfolder that somebody replaces by a file costs one warning, and the file stays."""
    store = open_store(tmp_path, "a")
    add_file(store, [0])
    for path in files_in(tmp_path):
        path.unlink()
    (tmp_path / "a").rmdir()
    (tmp_path / "a").write_text("mine")
    assert store.find({digest_of(0): 2}) == {}
    for number in range(2):
        add_file(store, [number])
    assert (tmp_path / "a").read_text() == "mine"
    assert len(warnings_in(caplog)) == 1
