"""
Writing files of layers: one writer for each folder and process, which holds the folder's lock.
"""

import atexit
import logging
import os
from pathlib import Path
from typing import Dict, List, Optional, Set

import numpy
from filelock import FileLock, Timeout

from allennlp_elmo_plugin.embedder.activation_cache.compaction import merge_small_segments
from allennlp_elmo_plugin.embedder.activation_cache.segment import encode_segment
from allennlp_elmo_plugin.embedder.activation_cache.segment_files import (
    remove_leftovers,
    write_segment,
)
from allennlp_elmo_plugin.embedder.activation_cache.waiting_layers import (
    MAX_WAITING_BYTES,
    WaitingLayers,
)
from allennlp_elmo_plugin.io.locks import ForkSafeLock

__all__ = ["SegmentWriter", "folder_size"]

logger = logging.getLogger(__name__)

LOCK_SECONDS = 5.0


class SegmentWriter:
    """
    The writer of the layers that the stores of a process have added for one folder.

    A store that is deleted leaves its layers here, since it may be deleted at any point of any
    thread: by the garbage collector while another store writes, for example. They are written with
    those of the next store, at the latest when the process ends.

    # Parameters

    root : `Path`
        Path of the folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = ForkSafeLock()
        self._is_writing = False
        self._is_blocked = False
        self._waiting: Set[WaitingLayers] = set()

    @staticmethod
    def of(root: Path) -> "SegmentWriter":
        """Returns the one writer of a folder."""
        return _WRITERS.setdefault(os.path.realpath(root), SegmentWriter(root))

    def register(self, waiting: WaitingLayers) -> None:
        """Adds the layers of a store to those that are written when the process ends."""
        self._waiting.add(waiting)

    def write(self, waiting: WaitingLayers) -> None:
        """
        Writes the layers of a store, and those of stores that were deleted.

        # Parameters

        waiting : `WaitingLayers`
            Layers of the store.
        """
        self._write([each for each in list(self._waiting) if each is waiting or each.is_abandoned])

    def write_all(self) -> None:
        """Writes the layers of all stores."""
        self._write(list(self._waiting))

    def start_in_child(self) -> None:
        """Leaves everything that waits to the process from which this one was forked."""
        self._is_writing = False
        for waiting in self._waiting:
            waiting.clear()

    def _write(self, chosen: List[WaitingLayers]) -> None:
        with self._lock.current:
            # A signal handler may write in the middle of a writing.
            if self._is_writing:
                return
            self._is_writing = True
            try:
                for waiting in chosen:
                    self._write_files(waiting)
                self._forget_abandoned()
            finally:
                self._is_writing = False

    def _write_files(self, waiting: WaitingLayers) -> None:
        layers, seconds = waiting.next_file()
        while layers:
            try:
                waiting.folder.path.mkdir(parents=True, exist_ok=True)
                timeout = 0.0 if self._is_blocked else LOCK_SECONDS
                with FileLock(str(self._root / ".lock"), timeout=timeout):
                    self._is_blocked = False
                    self._write_file(waiting, layers, seconds)
            except Timeout:
                self._warn_blocked()
                return
            except FileNotFoundError:
                # Somebody deletes the folder at this moment. The next call makes it again.
                return
            # A lock raises the latter on a file system without locks.
            except (OSError, NotImplementedError) as error:
                self._refuse(waiting, f"it cannot be written to ({error})")
            layers, seconds = waiting.next_file()

    def _write_file(
        self, waiting: WaitingLayers, layers: Dict[bytes, numpy.ndarray], seconds: float
    ) -> None:
        content, folder = encode_segment(layers, seconds), waiting.folder
        remove_leftovers(self._root)
        free_bytes = float("inf")
        if folder.max_bytes is not None:
            free_bytes = folder.max_bytes - folder_size(self._root) - len(content)
        if free_bytes < 0:
            limit = f"{(folder.max_bytes or 0) / 1e9:g} GB"
            self._refuse(waiting, f"it has reached its limit of {limit}")
            return
        write_segment(folder.path, content)
        waiting.mark_written(layers, seconds)
        if waiting.merges:
            try:
                merge_small_segments(folder, free_bytes)
            except OSError as error:
                waiting.merges = False
                logger.info("Small files in '%s' are not merged (%s).", folder.path, error)

    def _refuse(self, waiting: WaitingLayers, reason: str) -> None:
        waiting.refuse()
        logger.warning(
            "The activation cache in '%s' is only read from now on: %s. Sentences that are not in "
            "it are computed each time.",
            self._root,
            reason,
        )

    def _warn_blocked(self) -> None:
        if not self._is_blocked:
            self._is_blocked = True
            logger.warning(
                "The activation cache in '%s' is not written to, since another process has held "
                "its lock '.lock' for %g seconds. It is tried again; until then, up to %d MB are "
                "kept in memory. They are lost if the process ends before.",
                self._root,
                LOCK_SECONDS,
                MAX_WAITING_BYTES // 10**6,
            )

    def _forget_abandoned(self) -> None:
        """Forgets the written layers of deleted stores, and those that take too much memory."""
        total = 0
        for waiting in [each for each in list(self._waiting) if each.is_abandoned]:
            total += waiting.num_bytes
            if not waiting.num_bytes or total > MAX_WAITING_BYTES:
                self._waiting.discard(waiting)


def folder_size(root: Path) -> int:
    """
    Returns the size of all files in a folder, in bytes.

    # Parameters

    root : `Path`
        Path of the folder.

    # Returns

    `int`
        Size of all files that are still there when they are looked at.
    """
    total = 0
    for folder, _, names in os.walk(root):
        for name in names:
            status = _status(os.path.join(folder, name))
            total += 0 if status is None else status.st_size
    return total


def _status(path: str) -> Optional[os.stat_result]:
    try:
        return os.lstat(path)
    except OSError:
        # Another process has deleted it.
        return None


_WRITERS: Dict[str, SegmentWriter] = {}


# The HDF5 library is closed at the end of the process as well. This function is registered after
# it, so it is called before.
@atexit.register
def _write_all() -> None:
    for writer in list(_WRITERS.values()):
        writer.write_all()


def _start_in_child() -> None:
    for writer in _WRITERS.values():
        writer.start_in_child()


# Windows has no fork.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_in_child)
