"""
Layers of sentences in a folder that several processes may use at once.
"""

import atexit
import logging
import os
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import Dict, List, Mapping, NamedTuple, Optional, Set, Union
from uuid import uuid4
from weakref import WeakSet

import numpy
from filelock import FileLock

from allennlp_elmo_plugin.embedder.activation_cache.segment import DamagedSegment, Segment, to_bytes

__all__ = ["ActivationStore"]

logger = logging.getLogger(__name__)

COMPLETE, PARTIAL, DAMAGED = ".hdf5", ".partial", ".damaged"
# As `uuid4().hex` is.
OUR_NAMES = "[0-9a-f]" * 32

BYTES_AT_ONCE = 32 * 10**6
FILES_AT_LEAST = 20


class _Place(NamedTuple):
    segment: Segment
    sentence: int


class ActivationStore:
    """
    The layers of sentences by digest, in the files of a subfolder. Whatever happens to a process,
    each file that is there is complete, and each number read is one that was written.

    What is added waits in memory until there is enough for a file, or until `flush`, which comes
    by itself when the store is let go or the process ends.

    # Parameters

    folder : `Union[str, PathLike]`
        The folder, which is made at the first writing. The size limit is on all that is in it.
    name : `str`
        The subfolder.
    max_bytes : `float`, optional (default = `None`)
        The size in bytes that is not to be exceeded. `None` is no limit.
    bytes_at_once : `int`, optional (default = `32 * 10**6`)
        The size in bytes of a file. What waits for one is lost when the process is killed.
    """

    words: int
    """How many words the sentences have, boundaries among them."""
    seconds: float
    """How long it took to compute them."""

    def __init__(
        self,
        folder: Union[str, "os.PathLike[str]"],
        name: str,
        max_bytes: Optional[float] = None,
        bytes_at_once: int = BYTES_AT_ONCE,
    ) -> None:
        self._waiting: Dict[bytes, numpy.ndarray] = {}
        self._waiting_seconds = 0.0
        self._root = Path(folder)
        self._folder = self._root / name
        self._max_bytes = max_bytes
        # What does not fit as a whole is not written, so a small folder gets small files.
        self._bytes_at_once = min(bytes_at_once, (max_bytes or inf) / FILES_AT_LEAST)
        self._seen: Set[str] = set()
        self._segments: List[Segment] = []
        self._places: Dict[bytes, _Place] = {}
        self._writes = True
        self.words, self.seconds = 0, 0.0
        self.refresh()
        STORES.add(self)

    def __del__(self) -> None:
        self.flush()

    @property
    def num_bytes(self) -> int:
        """The size of everything in the folder."""
        total = 0
        for folder, _, names in os.walk(self._root):
            for name in names:
                # It may be gone by now.
                with suppress(FileNotFoundError):
                    total += os.stat(os.path.join(folder, name)).st_size
        return total

    def refresh(self) -> None:
        """Takes notice of files that other processes have written."""
        for path in sorted(self._folder.glob("*" + COMPLETE)):
            if path.name in self._seen:
                continue
            self._seen.add(path.name)
            try:
                segment = Segment(path)
            except DamagedSegment as damage:
                self._set_aside(path, damage)
            except OSError as error:
                _tell_unreadable(path, error)
            else:
                self._segments.append(segment)
                self._index(segment)
                self.words += segment.num_words
                self.seconds += segment.seconds

    def _index(self, segment: Segment) -> None:
        for sentence, digest in enumerate(segment.digests):
            self._places.setdefault(digest, _Place(segment, sentence))

    def get(self, digest: bytes) -> Optional[numpy.ndarray]:
        """
        # Parameters

        digest : `bytes`
            Of a sentence.

        # Returns

        `Optional[numpy.ndarray]`
            Its layers, of shape (words, num_representations, size), not to be written to; or
            `None` where there are none, or none that can be trusted.
        """
        if digest in self._waiting:
            return self._waiting[digest]
        # A sentence that two processes computed at once is in two files.
        while digest in self._places:
            segment, sentence = self._places[digest]
            try:
                return segment.read(sentence)
            except DamagedSegment as damage:
                self._forget(segment)
                self._set_aside(Path(segment.path), damage)
            except OSError as error:
                self._forget(segment)
                _tell_unreadable(segment.path, error)
        return None

    def add(self, layers: Mapping[bytes, numpy.ndarray], seconds: float) -> None:
        """
        # Parameters

        layers : `Mapping[bytes, numpy.ndarray]`
            For the digest of each sentence, an array of shape (words, num_representations, size),
            of one type and size for all that is ever added.
        seconds : `float`
            How long it took to compute them.
        """
        if not self._writes:
            return
        self._waiting.update(layers)
        self._waiting_seconds += seconds
        if sum(array.nbytes for array in self._waiting.values()) >= self._bytes_at_once:
            self.flush()

    def flush(self) -> None:
        """
        Writes what waits. When the limit is reached or the disk is full, or the folder cannot be
        written to, a warning says so, and from then on nothing more is written.
        """
        if not self._waiting:
            return
        content = to_bytes(self._waiting, self._waiting_seconds)
        self._waiting, self._waiting_seconds = {}, 0.0
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with FileLock(str(self._root / ".lock")):
                if self._max_bytes is None or self.num_bytes + len(content) <= self._max_bytes:
                    self._write(content)
                else:
                    self._stop(f"it has reached its limit of {self._max_bytes / 1e9:g} GB")
        # The latter is what the lock says of a file system that knows no locks.
        except (OSError, NotImplementedError) as error:
            self._stop(f"it cannot be written to ({error})")
        self.refresh()

    def _write(self, content: bytes) -> None:
        # Only whoever holds the lock writes, so this is left from one that was killed.
        for leftover in self._root.glob(f"*/{OUR_NAMES}{PARTIAL}"):
            leftover.unlink(missing_ok=True)
        partial = self._folder / (uuid4().hex + PARTIAL)
        try:
            # A power cut may take what the disk was not made to write. The checksums notice it.
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
        self._places.clear()
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
            "'%s' is damaged: %s. It is set aside as '%s', and its sentences are computed anew.",
            path,
            damage,
            aside.name,
        )


# What the HDF5 library needs for writing is torn down at the end as well. This was registered after
# that, so it comes before.
STORES: "WeakSet[ActivationStore]" = WeakSet()


@atexit.register
def _flush_all() -> None:
    for store in list(STORES):
        store.flush()


def _tell_unreadable(path: Union[str, "os.PathLike[str]"], error: OSError) -> None:
    # Whoever deletes a file of a cache knows that it is gone.
    if not isinstance(error, FileNotFoundError):
        logger.warning("'%s' cannot be read (%s). Its sentences are computed anew.", path, error)
