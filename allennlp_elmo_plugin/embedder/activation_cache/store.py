"""
A store of sentences' layers in a folder that several threads and processes may use at once.
"""

import logging
import os
import time
from math import inf
from pathlib import Path
from typing import Any, Collection, Dict, Mapping, NamedTuple, Optional, Set, Tuple, Union

import numpy

from allennlp_elmo_plugin.embedder.activation_cache.segment import DamagedSegment, Segment
from allennlp_elmo_plugin.embedder.activation_cache.segment_files import list_segments, set_aside
from allennlp_elmo_plugin.embedder.activation_cache.waiting_layers import StoreFolder, WaitingLayers
from allennlp_elmo_plugin.embedder.activation_cache.writer import SegmentWriter, folder_size
from allennlp_elmo_plugin.io.locks import ForkSafeLock

__all__ = ["ActivationStore"]

logger = logging.getLogger(__name__)

SEGMENT_BYTES = 32 * 10**6
MIN_SEGMENTS = 20

MAX_LISTINGS = 3

# Some file systems tell the time of a change in units of two seconds.
MTIME_NANOSECONDS = 2 * 10**9


class _Location(NamedTuple):
    segment: Segment
    sentence: int


class ActivationStore:
    """
    A store of the layers of sentences by digest, in the files of a subfolder.

    Whatever happens to a process, each file is complete, and each number read is one that was
    written. Several threads may use a store at once.

    Added layers wait in memory until there is enough for a file, or until `flush`. Those of a
    deleted store are written with those of the next one in the folder. When the process ends,
    everything is written.

    # Parameters

    folder : `Union[str, PathLike]`
        Path of the folder, made at the first write. The size limit applies to all its files.
    name : `str`
        Name of the subfolder.
    dtype : `str`
        Dtype of all layers, `"float32"` or `"float16"`.
    size : `int`
        The number of numbers for each token.
    max_bytes : `float`, optional (default = `None`)
        The largest size of the folder in bytes. `None` is no limit.
    segment_bytes : `int`, optional (default = `32 * 10**6`)
        The size of a file in bytes. Layers that wait for one are lost if the process is killed.
    """

    def __init__(
        self,
        folder: Union[str, "os.PathLike[str]"],
        name: str,
        dtype: str,
        size: int,
        max_bytes: Optional[float] = None,
        segment_bytes: float = SEGMENT_BYTES,
    ) -> None:
        # The working directory may change.
        root = Path(os.path.abspath(folder))
        # A file that does not fit is not written, so a small folder gets small files.
        segment_bytes = min(segment_bytes, (max_bytes or inf) / MIN_SEGMENTS)
        self._folder = StoreFolder(root, root / name, dtype, size, max_bytes, segment_bytes)
        self._waiting = WaitingLayers(self._folder)
        self._lock = ForkSafeLock()
        self._seen: Set[str] = set()
        self._segments: Dict[str, Segment] = {}
        self._locations: Dict[bytes, _Location] = {}
        self._listed: Tuple[Any, bool] = None, False
        self._warned_of: Set[str] = set()
        self._writer = SegmentWriter.of(root)
        self._writer.register(self._waiting)
        self.flush()

    def __del__(self) -> None:
        # The garbage collector calls this at any point of any thread, so it must not wait, and
        # must not write.
        if hasattr(self, "_waiting"):
            self._waiting.is_abandoned = True

    def __reduce__(self) -> Tuple[Any, ...]:
        # Layers that wait stay with the store to which they were added.
        root, path, *others = self._folder
        return ActivationStore, (root, path.name, *others)

    @property
    def num_tokens(self) -> int:
        """The number of tokens of the sentences on disk, boundaries included."""
        with self._lock.current:
            return sum(segment.num_tokens for segment in self._segments.values())

    @property
    def seconds(self) -> float:
        """The time that it took to compute the sentences on disk, in seconds."""
        with self._lock.current:
            return sum((segment.seconds for segment in self._segments.values()), 0.0)

    @property
    def num_bytes(self) -> int:
        """The size of all files in the folder, in bytes."""
        return folder_size(self._folder.root)

    def refresh(self) -> None:
        """Adds the files that other processes have written since, and forgets deleted ones."""
        with self._lock.current:
            # A file that goes between listing and opening may have been merged into a new one.
            for _ in range(MAX_LISTINGS):
                if not (self._has_changed() and self._open_new()):
                    break

    def _has_changed(self) -> bool:
        """Returns `False` if no file has come or gone since the folder was listed."""
        now, modified = time.time_ns(), None
        try:
            status = os.stat(self._folder.path)
        except OSError as error:
            self._warn_unreadable(self._folder.path, error)
        else:
            modified = (status.st_dev, status.st_ino, status.st_mtime_ns)
        # A change within the resolution of the time cannot be told from the one before.
        is_old = modified is None or abs(now - modified[-1]) > MTIME_NANOSECONDS
        listed, self._listed = self._listed, (modified, is_old)
        return listed != (modified, True)

    def _open_new(self) -> bool:
        """Opens the files that are new; returns `True` if one of them was gone already."""
        try:
            names = {entry.name for entry in list_segments(self._folder.path)}
        except (FileNotFoundError, NotADirectoryError):
            names = set()
        except OSError as error:
            self._warn_unreadable(self._folder.path, error)
            self._listed = None, False
            return False
        self._forget(self._seen - names)
        was_gone = False
        for name in sorted(names - self._seen):
            path = self._folder.path / name
            try:
                segment = Segment(path)
                segment.require(self._folder.dtype, self._folder.size)
            except FileNotFoundError:
                was_gone = True
                continue
            except DamagedSegment as damage:
                set_aside(path, damage)
            except OSError as error:
                self._warn_unreadable(path, error)
            else:
                self._segments[name] = segment
                self._index(segment)
            self._seen.add(name)
        return was_gone

    def _index(self, segment: Segment) -> None:
        for sentence, digest in enumerate(segment.digests):
            self._locations.setdefault(digest, _Location(segment, sentence))

    def _forget(self, names: Collection[str]) -> None:
        """Forgets files; those that are still in the folder are not opened again."""
        removed = [self._segments.pop(name) for name in names if name in self._segments]
        self._seen.difference_update(names)
        if removed:
            self._locations = {}
            for segment in self._segments.values():
                self._index(segment)

    def find(self, lengths: Mapping[bytes, int]) -> Dict[bytes, numpy.ndarray]:
        """
        Reads the layers of sentences.

        # Parameters

        lengths : `Mapping[bytes, int]`
            For the cache key of each sentence, its number of tokens, boundaries included.

        # Returns

        `Dict[bytes, numpy.ndarray]`
            For each sentence that was found and whose checksum is right, its layers, of shape
            (tokens, size), read-only.
        """
        found: Dict[bytes, numpy.ndarray] = {}
        while True:
            # First those that wait: they do so until they are found in a file.
            missing = [digest for digest in lengths if digest not in found]
            found.update(self._waiting.find(missing))
            by_segment: Dict[Segment, Dict[bytes, int]] = {}
            with self._lock.current:
                for digest in missing:
                    if digest not in found and digest in self._locations:
                        segment, sentence = self._locations[digest]
                        by_segment.setdefault(segment, {})[digest] = sentence
            if not by_segment:
                return found
            # A sentence that two processes computed at once is in two files.
            for segment, sentences in by_segment.items():
                self._read(segment, sentences, lengths, found)

    def _read(
        self,
        segment: Segment,
        sentences: Mapping[bytes, int],
        lengths: Mapping[bytes, int],
        found: Dict[bytes, numpy.ndarray],
    ) -> None:
        """Reads sentences of one file; forgets the file if it is damaged or gone."""
        path = Path(segment.path)
        try:
            for digest, sentence in sentences.items():
                segment.require_length(sentence, lengths[digest])
            found.update(zip(sentences, segment.read(list(sentences.values()))))
            return
        except FileNotFoundError:
            # It may have been merged into another.
            self._drop(path)
            self.refresh()
        except DamagedSegment as damage:
            self._drop(path)
            set_aside(path, damage)
        except OSError as error:
            self._drop(path)
            self._warn_unreadable(path, error)

    def _drop(self, path: Path) -> None:
        """Forgets a file, and does not open it again."""
        with self._lock.current:
            self._forget([path.name])
            self._seen.add(path.name)

    def add(self, layers: Mapping[bytes, numpy.ndarray], seconds: float) -> None:
        """
        Adds the layers of sentences.

        Sentences that another thread has added since they were looked for are not added again.

        # Parameters

        layers : `Mapping[bytes, numpy.ndarray]`
            For the digest of each sentence, an array of shape (tokens, size).
        seconds : `float`
            The time that it took to compute them, in seconds.
        """
        with self._lock.current:
            new = {key: array for key, array in layers.items() if key not in self._locations}
        self._waiting.add(new, seconds)
        if self._waiting.num_bytes >= self._folder.segment_bytes:
            self.flush()

    def flush(self) -> None:
        """
        Writes the layers that wait in memory, and those that deleted stores have left.

        If another process holds the folder's lock for long, a warning says so, and the layers wait
        for the next flush. If the size limit is reached, the disk is full or the folder cannot be
        written to, a warning says so, and the store writes nothing more.
        """
        self._writer.write(self._waiting)
        written = self._waiting.written()
        if written:
            self._listed = None, False
        self.refresh()
        self._waiting.forget_written(written)

    def _warn_unreadable(self, path: Path, error: OSError) -> None:
        # A file that somebody deleted needs no warning.
        if (
            isinstance(error, (FileNotFoundError, NotADirectoryError))
            or str(path) in self._warned_of
        ):
            return
        self._warned_of.add(str(path))
        logger.warning("'%s' cannot be read (%s). Its sentences are computed again.", path, error)
