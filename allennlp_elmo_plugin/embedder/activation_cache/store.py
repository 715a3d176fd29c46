"""
A store of sentences' layers in a folder that several processes may use at once.
"""

import atexit
import logging
import os
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import Dict, Iterable, List, Mapping, NamedTuple, Optional, Set, Union
from uuid import uuid4
from weakref import WeakSet

import numpy
from filelock import FileLock

from allennlp_elmo_plugin.embedder.activation_cache.segment import (
    DamagedSegment,
    Segment,
    encode_segment,
)

__all__ = ["ActivationStore"]

logger = logging.getLogger(__name__)

COMPLETE, PARTIAL, DAMAGED = ".hdf5", ".partial", ".damaged"
# The form of `uuid4().hex`.
SEGMENT_NAMES = "[0-9a-f]" * 32

SEGMENT_BYTES = 32 * 10**6
MIN_SEGMENTS = 20


class _Location(NamedTuple):
    segment: Segment
    sentence: int


class ActivationStore:
    """
    A store of the layers of sentences by digest, in the files of a subfolder.

    Whatever happens to a process, each file is complete, and each number read is one that was
    written.

    Added layers wait in memory until there is enough for a file, or until `flush`, which is also
    called when the store is deleted or the process ends.

    # Parameters

    folder : `Union[str, PathLike]`
        Path of the folder, made at the first write. The size limit applies to all its files.
    name : `str`
        Name of the subfolder.
    max_bytes : `float`, optional (default = `None`)
        The largest size of the folder in bytes. `None` is no limit.
    segment_bytes : `int`, optional (default = `32 * 10**6`)
        The size of a file in bytes. Layers that wait for one are lost if the process is killed.
    """

    num_tokens: int
    """The number of tokens of the sentences on disk, boundaries included."""
    seconds: float
    """The time that it took to compute them, in seconds."""

    def __init__(
        self,
        folder: Union[str, "os.PathLike[str]"],
        name: str,
        max_bytes: Optional[float] = None,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        self._waiting: Dict[bytes, numpy.ndarray] = {}
        self._waiting_seconds = 0.0
        self._root = Path(folder)
        self._folder = self._root / name
        self._max_bytes = max_bytes
        # A file that does not fit is not written, so a small folder gets small files.
        self._segment_bytes = min(segment_bytes, (max_bytes or inf) / MIN_SEGMENTS)
        self._seen: Set[str] = set()
        self._segments: List[Segment] = []
        self._locations: Dict[bytes, _Location] = {}
        self._writes = True
        self.num_tokens, self.seconds = 0, 0.0
        self.refresh()
        STORES.add(self)

    def __del__(self) -> None:
        self.flush()

    @property
    def num_bytes(self) -> int:
        """The size of all files in the folder, in bytes."""
        total = 0
        for folder, _, names in os.walk(self._root):
            for name in names:
                # Another process may have deleted it.
                with suppress(FileNotFoundError):
                    total += os.stat(os.path.join(folder, name)).st_size
        return total

    def refresh(self) -> None:
        """Adds the files that other processes have written since."""
        for path in sorted(self._folder.glob("*" + COMPLETE)):
            if path.name in self._seen:
                continue
            self._seen.add(path.name)
            try:
                segment = Segment(path)
            except DamagedSegment as damage:
                self._set_aside(path, damage)
            except OSError as error:
                _warn_unreadable(path, error)
            else:
                self._segments.append(segment)
                self._index(segment)
                self.num_tokens += segment.num_tokens
                self.seconds += segment.seconds

    def _index(self, segment: Segment) -> None:
        for sentence, digest in enumerate(segment.digests):
            self._locations.setdefault(digest, _Location(segment, sentence))

    def find(self, digests: Iterable[bytes]) -> Dict[bytes, numpy.ndarray]:
        """
        Reads the layers of sentences.

        # Parameters

        digests : `Iterable[bytes]`
            Cache keys of the sentences.

        # Returns

        `Dict[bytes, numpy.ndarray]`
            For each sentence that was found and whose checksum is right, its layers, of shape
            (tokens, size), read-only.
        """
        found: Dict[bytes, numpy.ndarray] = {}
        wanted = set(digests)
        while wanted:
            by_segment: Dict[Segment, Dict[bytes, int]] = {}
            for digest in wanted:
                if digest in self._waiting:
                    found[digest] = self._waiting[digest]
                elif digest in self._locations:
                    segment, sentence = self._locations[digest]
                    by_segment.setdefault(segment, {})[digest] = sentence
            for segment, sentences in by_segment.items():
                self._read(segment, sentences, found)
            # A sentence that two processes computed at once is in two files.
            wanted = {digest for digest in wanted - set(found) if digest in self._locations}
        return found

    def _read(
        self, segment: Segment, sentences: Mapping[bytes, int], found: Dict[bytes, numpy.ndarray]
    ) -> None:
        """Reads sentences of one file; forgets the file if it is damaged or gone."""
        try:
            found.update(zip(sentences, segment.read(list(sentences.values()))))
        except DamagedSegment as damage:
            self._forget(segment)
            self._set_aside(Path(segment.path), damage)
        except OSError as error:
            self._forget(segment)
            _warn_unreadable(segment.path, error)

    def add(self, layers: Mapping[bytes, numpy.ndarray], seconds: float) -> None:
        """
        Adds the layers of sentences.

        # Parameters

        layers : `Mapping[bytes, numpy.ndarray]`
            For the digest of each sentence, an array of shape (tokens, size), float32 or float16.
            All arrays of a store have one dtype and one size.
        seconds : `float`
            The time that it took to compute them, in seconds.
        """
        if not self._writes:
            return
        self._waiting.update(layers)
        self._waiting_seconds += seconds
        if sum(array.nbytes for array in self._waiting.values()) >= self._segment_bytes:
            self.flush()

    def flush(self) -> None:
        """
        Writes the layers that wait in memory.

        If the size limit is reached, the disk is full or the folder cannot be written to, a warning
        says so, and the store writes nothing more.
        """
        if not self._waiting:
            return
        content = encode_segment(self._waiting, self._waiting_seconds)
        self._waiting, self._waiting_seconds = {}, 0.0
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with FileLock(str(self._root / ".lock")):
                if self._max_bytes is None or self.num_bytes + len(content) <= self._max_bytes:
                    self._write(content)
                else:
                    self._stop(f"it has reached its limit of {self._max_bytes / 1e9:g} GB")
        # A lock raises the latter on a file system without locks.
        except (OSError, NotImplementedError) as error:
            self._stop(f"it cannot be written to ({error})")
        self.refresh()

    def _write(self, content: bytes) -> None:
        # Only the holder of the lock writes, so such a file is left from a process that was killed.
        for leftover in self._root.glob(f"*/{SEGMENT_NAMES}{PARTIAL}"):
            leftover.unlink(missing_ok=True)
        partial = self._folder / (uuid4().hex + PARTIAL)
        try:
            # A power cut may damage a file that is not yet on the disk. The checksums notice it.
            partial.write_bytes(content)
            os.replace(partial, partial.with_suffix(COMPLETE))
        finally:
            partial.unlink(missing_ok=True)

    def _stop(self, reason: str) -> None:
        self._writes = False
        logger.warning(
            "The activation cache in '%s' is only read from now on: %s. Sentences that are not in "
            "it are computed each time.",
            self._root,
            reason,
        )

    def _forget(self, segment: Segment) -> None:
        self._segments.remove(segment)
        self._locations.clear()
        for other in self._segments:
            self._index(other)

    def _set_aside(self, path: Path, damage: DamagedSegment) -> None:
        aside = path.with_suffix(DAMAGED)
        try:
            os.replace(path, aside)
        except FileNotFoundError:
            # Another process was first.
            return
        except OSError as error:
            logger.warning("'%s' is damaged: %s. It stays where it is (%s).", path, damage, error)
            return
        logger.warning(
            "'%s' is damaged: %s. It is set aside as '%s', and its sentences are computed again.",
            path,
            damage,
            aside.name,
        )


# The HDF5 library is closed at the end of the process as well. This function is registered after
# it, so it is called before.
STORES: "WeakSet[ActivationStore]" = WeakSet()


@atexit.register
def _flush_all() -> None:
    for store in list(STORES):
        store.flush()


def _warn_unreadable(path: Union[str, "os.PathLike[str]"], error: OSError) -> None:
    # A file that somebody deleted needs no warning.
    if not isinstance(error, FileNotFoundError):
        logger.warning("'%s' cannot be read (%s). Its sentences are computed again.", path, error)
