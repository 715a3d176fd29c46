"""
The layers of a store that wait in memory for a file.
"""

from itertools import islice
from pathlib import Path
from typing import Dict, Iterable, List, Mapping, NamedTuple, Optional, Tuple

import numpy

from allennlp_elmo_plugin.embedder.activation_cache.segment import MAX_SENTENCES
from allennlp_elmo_plugin.io.locks import ForkSafeLock

__all__ = ["MAX_WAITING_BYTES", "StoreFolder", "WaitingLayers"]

MAX_WAITING_BYTES = 128 * 10**6


class StoreFolder(NamedTuple):
    """
    The subfolder of a store, and what belongs in it.

    # Parameters

    root : `Path`
        Path of the folder to which the size limit applies.
    path : `Path`
        Path of the subfolder.
    dtype : `str`
        Dtype of all layers, `"float32"` or `"float16"`.
    size : `int`
        The number of numbers for each token.
    max_bytes : `Optional[float]`
        The largest size of `root` in bytes. `None` is no limit.
    segment_bytes : `float`
        The size of a file in bytes.
    """

    root: Path
    path: Path
    dtype: str
    size: int
    max_bytes: Optional[float]
    segment_bytes: float


class WaitingLayers:
    """
    The layers of a store that wait for a file, for the threads that add, read and write them.

    They outlive the store: `is_abandoned` says that the store was deleted.

    # Parameters

    folder : `StoreFolder`
        Subfolder of the store.
    """

    num_bytes: int
    """The size of the layers that are not yet in a file."""
    accepts: bool
    """If `False`, nothing more is added, since it cannot be written."""
    merges: bool
    """If `False`, small files cannot be merged."""
    is_abandoned: bool
    """If `True`, nothing more is added, since the store was deleted."""

    def __init__(self, folder: StoreFolder) -> None:
        self.folder = folder
        self.accepts, self.merges, self.is_abandoned = True, True, False
        self._lock = ForkSafeLock()
        self.clear()

    def clear(self) -> None:
        """Forgets everything."""
        self._unwritten: Dict[bytes, numpy.ndarray] = {}
        # In a file that the store has not opened yet.
        self._written: Dict[bytes, numpy.ndarray] = {}
        self._seconds, self.num_bytes = 0.0, 0

    def add(self, layers: Mapping[bytes, numpy.ndarray], seconds: float) -> None:
        """
        Adds the layers of sentences, unless too many wait already because the folder is locked.

        # Parameters

        layers : `Mapping[bytes, numpy.ndarray]`
            For each digest, an array of shape (tokens, size).
        seconds : `float`
            The time that it took to compute them, in seconds.
        """
        with self._lock.current:
            new = {digest: array for digest, array in layers.items() if digest not in self}
            if not new or not self.accepts or self.num_bytes >= MAX_WAITING_BYTES:
                return
            self._unwritten.update(new)
            self._seconds += seconds
            self.num_bytes += sum(array.nbytes for array in new.values())

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._unwritten or digest in self._written

    def find(self, digests: Iterable[bytes]) -> Dict[bytes, numpy.ndarray]:
        """
        Returns those layers that wait.

        # Parameters

        digests : `Iterable[bytes]`
            Cache keys of sentences.

        # Returns

        `Dict[bytes, numpy.ndarray]`
            For each digest that was found, its layers, of shape (tokens, size).
        """
        with self._lock.current:
            parts = (self._written, self._unwritten)
            return {digest: part[digest] for digest in digests for part in parts if digest in part}

    def next_file(self) -> Tuple[Dict[bytes, numpy.ndarray], float]:
        """Returns the layers for the next file, none if nothing waits, and their seconds."""
        with self._lock.current:
            layers = dict(islice(self._unwritten.items(), MAX_SENTENCES))
            return layers, self._seconds

    def mark_written(self, layers: Iterable[bytes], seconds: float) -> None:
        """
        Moves layers to those that are in a file.

        # Parameters

        layers : `Iterable[bytes]`
            Digests of the layers.
        seconds : `float`
            The time that the file says.
        """
        with self._lock.current:
            for digest in layers:
                array = self._unwritten.pop(digest)
                self._written[digest] = array
                self.num_bytes -= array.nbytes
            self._seconds -= seconds

    def written(self) -> List[bytes]:
        """Returns the digests of the layers that are in a file and still here."""
        with self._lock.current:
            return list(self._written)

    def forget_written(self, digests: Iterable[bytes]) -> None:
        """
        Forgets layers that are found in their file from now on.

        # Parameters

        digests : `Iterable[bytes]`
            Digests that `written` has returned before the folder was listed.
        """
        with self._lock.current:
            for digest in digests:
                self._written.pop(digest, None)

    def refuse(self) -> None:
        """Forgets everything, and accepts nothing more."""
        with self._lock.current:
            self.accepts = False
            self.clear()
