"""
Hidden folders in which files wait until they are complete.

A process that is killed leaves its folder behind. The next writer to the same place removes it.
Each folder is locked by its writer, and the system gives the lock back when that process ends, so
the folder of a writer that is still at work stays.
"""

import os
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Iterator, Optional, Tuple

try:
    import fcntl
except ImportError:  # Not on Windows, where leftovers stay: readers ignore them.
    fcntl = None  # type: ignore[assignment]

__all__ = [
    "NEW",
    "PREFIX",
    "REPLACED",
    "is_interrupted",
    "is_locked_file",
    "lock_file",
    "staging_folder",
    "sweep",
]

PREFIX = ".allennlp_elmo_plugin-"
LOCK, NEW, REPLACED = ".lock", "new", "replaced"


@contextmanager
def staging_folder(target: Path) -> Iterator[Path]:
    """
    Yields a hidden folder in the folder `target`, and removes it when the block ends.

    Leftovers of killed writers are removed first.

    # Parameters

    target : `Path`
        Path of an existing folder.

    # Returns

    `Iterator[Path]`
        Path of a folder with an empty subfolder `new`.
    """
    sweep(target)
    folder, lock = _make(target)
    try:
        (folder / NEW).mkdir()
        yield folder
    finally:
        if not is_interrupted(folder):
            # An error here must not hide that of the block. The next writer tries again.
            with suppress(OSError):
                _remove(folder, lock)
        elif lock is not None:
            os.close(lock)


def sweep(target: Path, with_interrupted: bool = False) -> None:
    """
    Removes what killed writers left in a folder.

    Where the file system has no locks, leftovers stay, since their writer may be at work.

    # Parameters

    target : `Path`
        Path of an existing folder.
    with_interrupted : `bool`, optional (default = `False`)
        If `True`, leftovers of an interrupted exchange are removed too. They hold the only copy of
        some files, so they stay until there are newer ones.
    """
    for folder in target.glob(f"{PREFIX}*"):
        # Another writer may be quicker, and another user's leftover may be out of reach.
        with suppress(OSError):
            if not folder.is_symlink() and (with_interrupted or not is_interrupted(folder)):
                _remove_if_dead(folder)


def is_interrupted(folder: Path) -> bool:
    """
    Returns `True` if a staging folder holds both old and new files, for which it is the only place.

    # Parameters

    folder : `Path`
        Path of a hidden folder that `staging_folder` made.
    """
    return all(any((folder / part).glob("*")) for part in (NEW, REPLACED))


def lock_file(path: Path, makes: bool = True) -> Optional[int]:
    """
    Locks a file, unless the file system has no locks.

    # Parameters

    path : `Path`
        Path of the file.
    makes : `bool`, optional (default = `True`)
        If `True`, a missing file is made.

    # Returns

    `Optional[int]`
        Descriptor of the open file, which is locked until the descriptor is closed. `None` if there
        are no locks.

    # Raises

    `BlockingIOError`
        If another writer holds the lock.
    `OSError`
        If the file cannot be opened.
    """
    if fcntl is None:
        return None
    descriptor = os.open(path, os.O_RDWR | (os.O_CREAT if makes else 0), 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def is_locked_file(path: Path, descriptor: Optional[int]) -> bool:
    """
    Returns `False` if a locked file was removed before it was locked.

    # Parameters

    path : `Path`
        Path of the file.
    descriptor : `Optional[int]`
        Result of `lock_file`.
    """
    try:
        return descriptor is None or os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _make(target: Path) -> Tuple[Path, Optional[int]]:
    while True:
        folder = Path(mkdtemp(prefix=PREFIX, dir=target))
        try:
            lock = lock_file(folder / LOCK)
        except (BlockingIOError, FileNotFoundError):
            # Another writer took the folder for a leftover, since it wasn't locked yet.
            continue
        except OSError:
            folder.rmdir()
            raise
        if is_locked_file(folder / LOCK, lock):
            return folder, lock
        if lock is not None:
            os.close(lock)


def _remove_if_dead(folder: Path) -> None:
    try:
        lock = lock_file(folder / LOCK, makes=False)
    except FileNotFoundError:
        # Its writer ended before it made the lock, thus before it wrote anything.
        folder.rmdir()
        return
    if lock is not None:
        _remove(folder, lock)


def _remove(folder: Path, lock: Optional[int]) -> None:
    try:
        # The lock goes last: without it, nobody would know the folder for a leftover.
        for part in (NEW, REPLACED):
            if (folder / part).exists():
                shutil.rmtree(folder / part)
        (folder / LOCK).unlink(missing_ok=True)
    finally:
        # Closed before the folder is removed, since NFS keeps the name of an open file.
        if lock is not None:
            os.close(lock)
    folder.rmdir()
