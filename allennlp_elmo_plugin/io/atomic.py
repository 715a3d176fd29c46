"""
Writing files atomically: each appears complete or not at all, and so does a set of files.

The leftovers of a killed process are hidden, and the next writer to the same folder removes them.
"""

import errno
import os
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_IMODE, S_ISREG
from typing import Iterator, List, Optional

from allennlp_elmo_plugin.io.disk_errors import disk_error
from allennlp_elmo_plugin.io.staging import (
    NEW,
    PREFIX,
    REPLACED,
    is_interrupted,
    is_locked_file,
    lock_file,
    staging_folder,
    sweep,
)

__all__ = ["explain_interruption", "move_file", "sync", "write_atomically", "write_together"]

EXCHANGE_LOCK = ".allennlp_elmo_plugin.lock"
LOCK_SECONDS = 60.0

# Errors of a disk that come without the name of the file.
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


@contextmanager
def write_atomically(path: Path, durable: bool = True) -> Iterator[Path]:
    """
    Yields a temporary path to write to, and moves the finished file to `path` in one step.

    If the `with` block raises an exception, the temporary file is removed and `path` stays as it
    was. If the process is killed, `path` stays as it was too. The temporary file then remains in a
    hidden folder beside it until the next file is written into this folder.

    # Parameters

    path : `Path`
        Path of the file. Its folder must exist. A file that is already there is replaced, and its
        permissions stay. A symbolic link is replaced, and the file that it names stays.
    durable : `bool`, optional (default = `True`)
        If `True`, the file survives a power cut. `False` saves time for a file with checksums.

    # Returns

    `Iterator[Path]`
        Temporary path, of the same file name. Write the file there and close it within the block.

    # Raises

    `OSError`
        If the file cannot be written, for example because the disk is full. The message names
        `path`.
    """
    path = Path(path)
    with _explained_errors(path):
        _refuse_folder(path)
        with staging_folder(path.parent) as staging:
            partial = staging / NEW / path.name
            yield partial
            _move(partial, path, durable)


def move_file(source: Path, target: Path) -> None:
    """
    Moves a finished file to another name in one step, so that it survives a power cut there.

    # Parameters

    source : `Path`
        Path of the file.
    target : `Path`
        Path on the same file system. A file that is already there is replaced, and its permissions
        stay.

    # Raises

    `OSError`
        If it cannot be moved, for example because `target` is a folder.
    """
    with _explained_errors(target):
        _refuse_folder(target)
        _move(source, target, durable=True)


def sync(path: Path) -> None:
    """
    Waits until a file or the names in a folder would survive a power cut.

    # Parameters

    path : `Path`
        Path of the file or folder.

    # Raises

    `OSError`
        If the disk has an error. A folder that the system cannot sync is none.
    """
    is_folder = path.is_dir()
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        # Neither Windows nor every file system can do it with folders.
        unable = (errno.EACCES, errno.EINVAL, errno.EBADF, errno.ENOTSUP)
        if not is_folder or error.errno not in unable:
            raise


@contextmanager
def write_together(folder: Path, last: str) -> Iterator[Path]:
    """
    Yields a temporary folder to write files to, and moves all of them to `folder` together.

    At any moment, `folder` holds files of the old set or of the new set, never of both. Only while
    the two are exchanged, which takes a few renames, a part of the files is missing. The file
    `last` is the first to go and the last to come.

    If the `with` block raises an exception, or the exchange fails, `folder` stays as it was. If the
    process is killed during the exchange, a part of the files is missing until the next such write.

    # Parameters

    folder : `Path`
        Path of the folder, made if it is missing. Files of the same names are replaced, and their
        permissions stay. Others stay as they are.
    last : `str`
        Name of the file without which the set is of no use.

    # Returns

    `Iterator[Path]`
        Path of the temporary folder. Write the files there, all directly in it.

    # Raises

    `OSError`
        If the files cannot be written, for example because the disk is full. The message names
        `folder`.
    """
    folder = Path(folder)
    made = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    try:
        with _explained_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with staging_folder(folder) as staging:
                yield staging / NEW
                names = sorted(os.listdir(staging / NEW), key=lambda name: (name == last, name))
                for name in names:
                    _refuse_folder(folder / name)
                    _keep_permissions(staging / NEW / name, folder / name)
                    sync(staging / NEW / name)
                with _exchange_lock(folder):
                    _exchange(staging, folder, names)
            sweep(folder, with_interrupted=True)
    except BaseException:
        for parent in made:
            # It may hold the files of another writer by now.
            with suppress(OSError):
                parent.rmdir()
        raise


def explain_interruption(folder: Path) -> str:
    """
    Describes an exchange of files that has not ended, which may be why a file is missing.

    # Parameters

    folder : `Path`
        Path of the folder in which files are missing.

    # Returns

    `str`
        Two sentences that begin with a space, or nothing if there is no such exchange.
    """
    with suppress(OSError):
        for leftover in filter(is_interrupted, folder.glob(f"{PREFIX}*")):
            return (
                f" A process is replacing files in '{folder}', or was interrupted while it did. "
                f"Try again, write them again, or complete them with those in '{leftover}'."
            )
    return ""


def _move(source: Path, target: Path, durable: bool) -> None:
    _keep_permissions(source, target)
    if durable:
        sync(source)
    os.replace(source, target)
    if durable:
        sync(target.parent)


def _refuse_folder(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))


def _keep_permissions(partial: Path, path: Path) -> None:
    """Gives a file the permissions of the file that it replaces."""
    # Another writer may move the old file away at this moment.
    with suppress(FileNotFoundError):
        status = os.lstat(path)
        if S_ISREG(status.st_mode):
            os.chmod(partial, S_IMODE(status.st_mode))


def _exchange(staging: Path, folder: Path, names: List[str]) -> None:
    """Moves the old files to `staging` and the new ones from there, the last name outermost."""
    moves = [(folder / name, staging / REPLACED / name) for name in reversed(names)]
    moves = [(old, aside) for old, aside in moves if os.path.lexists(old)]
    if moves:
        (staging / REPLACED).mkdir()
    moves += [(staging / NEW / name, folder / name) for name in names]
    done = []
    try:
        for source, target in moves:
            os.replace(source, target)
            done.append((source, target))
        sync(folder)
    except BaseException:
        for source, target in reversed(done):
            os.replace(target, source)
        raise


@contextmanager
def _exchange_lock(folder: Path) -> Iterator[None]:
    """Waits for other writers that exchange files in the same folder."""
    path = folder / EXCHANGE_LOCK
    end = time.monotonic() + LOCK_SECONDS
    lock: Optional[int] = None
    while True:
        try:
            lock = lock_file(path)
            if is_locked_file(path, lock):
                break
            if lock is not None:
                os.close(lock)
        except BlockingIOError as error:
            if time.monotonic() > end:
                raise TimeoutError(
                    errno.ETIMEDOUT,
                    f"Another process has held the lock for {LOCK_SECONDS:g} seconds. End it",
                    str(path),
                ) from error
            time.sleep(0.01)
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink()
        if lock is not None:
            os.close(lock)


@contextmanager
def _explained_errors(path: Path) -> Iterator[None]:
    """Restates an error of a temporary file as one of the path that it stands for."""
    try:
        yield
    except OSError as error:
        concerns_path = str(error.filename) == str(path) or PREFIX in str(error.filename)
        if concerns_path or (error.filename is None and error.errno in DISK_ERRORS):
            raise disk_error(error, path, ", so nothing was written.") from error
        raise
