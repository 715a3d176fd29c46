"""
Merging small files of the activation cache, since each file costs time when the folder is opened.
"""

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

import numpy

from allennlp_elmo_plugin.embedder.activation_cache.segment import (
    MAX_SENTENCES,
    DamagedSegment,
    Segment,
    encode_segment,
)
from allennlp_elmo_plugin.embedder.activation_cache.segment_files import (
    list_segments,
    set_aside,
    write_segment,
)
from allennlp_elmo_plugin.embedder.activation_cache.waiting_layers import StoreFolder

__all__ = ["merge_small_segments"]

MIN_MERGED, MAX_MERGED = 64, 1000


def merge_small_segments(folder: StoreFolder, free_bytes: float) -> None:
    """
    Merges small files into one, if there are many.

    Only the holder of the folder's lock may call it. The new file is on the disk before the others
    are deleted, so nothing is lost if the process is killed or the power fails. A process that has
    opened a deleted file finds its sentences in the new one.

    # Parameters

    folder : `StoreFolder`
        Subfolder of the files.
    free_bytes : `float`
        The number of bytes that the folder may grow for a moment.

    # Raises

    `OSError`
        When the new file cannot be written, or the others cannot be deleted.
    """
    small = _small_files(folder)
    if len(small) < MIN_MERGED:
        return
    layers: Dict[bytes, numpy.ndarray] = {}
    seconds, merged = 0.0, []
    for path in _choose(small, min(folder.segment_bytes, free_bytes)):
        try:
            segment = Segment(path)
            segment.require(folder.dtype, folder.size)
            if len(layers) + len(segment.digests) > MAX_SENTENCES:
                break
            arrays = segment.read(range(len(segment.digests)))
        except FileNotFoundError:
            continue
        except DamagedSegment as damage:
            set_aside(path, damage)
        else:
            layers.update(zip(segment.digests, arrays))
            seconds += segment.seconds
            merged.append(path)
    if len(merged) > 1:
        content = encode_segment(layers, seconds)
        _replace(merged, write_segment(folder.path, content, durable=True))


def _small_files(folder: StoreFolder) -> List[Tuple[int, Path]]:
    """Lists size and path of each small file, the smallest first."""
    # In a folder of several users, not everyone may delete the files of another.
    user = os.geteuid() if hasattr(os, "geteuid") else 0
    small = []
    for entry in list_segments(folder.path):
        # Another process may set it aside.
        with suppress(FileNotFoundError):
            status = entry.stat(follow_symlinks=False)
            is_own = stat.S_ISREG(status.st_mode) and status.st_uid == user
            if is_own and status.st_size < folder.segment_bytes / 2:
                small.append((status.st_size, Path(entry.path)))
    return sorted(small)


def _choose(small: Sequence[Tuple[int, Path]], max_bytes: float) -> List[Path]:
    """
    Chooses the smallest files, each of at most the size of those before it together.

    A file is thus at least twice as large afterwards, which bounds how often a sentence is copied.
    """
    total = num_chosen = 0
    for number, (size, _) in enumerate(small[:MAX_MERGED], 1):
        if total + size > max_bytes:
            break
        if size <= total:
            num_chosen = number
        total += size
    return [path for _, path in small[:num_chosen]]


def _replace(merged: Sequence[Path], new: Path) -> None:
    for number, path in enumerate(merged):
        try:
            path.unlink(missing_ok=True)
        except OSError:
            if number == 0:
                new.unlink(missing_ok=True)
            raise
