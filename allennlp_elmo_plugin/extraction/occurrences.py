"""
The occurrences of target words, and the two files that say what and where they are.
"""

import json
import zipfile
from array import array
from io import BufferedIOBase, RawIOBase
from pathlib import Path
from typing import Dict, Iterator, List, Sequence, Tuple, Union

import numpy

from allennlp_elmo_plugin.extraction.outputs.npy_header import npy_header
from allennlp_elmo_plugin.io.atomic import write_atomically

__all__ = ["Occurrences"]

NUM_CHUNK_BYTES = 8 << 20


class Occurrences:
    """
    The places of the occurrences of some words, in the order of the text.

    # Parameters

    words : `Sequence[str]`
        The words.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._places: Dict[str, List[Tuple[str, int]]] = {word: [] for word in words}
        self._rows = {word: array("q") for word in words}
        self._num_rows = 0

    def add(self, word: str, key: str, position: int) -> None:
        """
        Adds the next occurrence.

        # Parameters

        word : `str`
            The word.
        key : `str`
            Key of the sentence.
        position : `int`
            Position of the token in the sentence, from 0.
        """
        self._places[word].append((key, position))
        self._rows[word].append(self._num_rows)
        self._num_rows += 1

    def write(
        self,
        output: Path,
        vectors: Union[RawIOBase, BufferedIOBase],
        row_shape: Tuple[int, ...],
        dtype: str,
    ) -> None:
        """
        Writes an `.npz` with the vectors of each word, and a JSON file with their places.

        # Parameters

        output : `Path`
            Path of the `.npz`. The JSON file has the same name and `.json`.
        vectors : `Union[RawIOBase, BufferedIOBase]`
            A file of the vectors of all occurrences, in their order.
        row_shape : `Tuple[int, ...]`
            Shape of the vectors of an occurrence: (layers, dim), or (dim,) without layers.
        dtype : `str`
            `"float32"` or `"float16"`.

        # Raises

        `OSError`
            If the files cannot be written, for example because the disk is full.
        """
        # An array of an earlier run must not stand beside the places of this one.
        output.unlink(missing_ok=True)
        with write_atomically(output.with_suffix(".json")) as partial:
            partial.write_text(json.dumps(self._places), encoding="utf-8")
        with write_atomically(output) as partial, zipfile.ZipFile(partial, "w") as archive:
            for word, rows in self._rows.items():
                with archive.open(f"{word}.npy", "w", force_zip64=True) as entry:
                    entry.write(npy_header((len(rows), *row_shape), dtype))
                    for chunk in _read_rows(vectors, rows, row_shape, dtype):
                        entry.write(chunk)


def _read_rows(
    file: Union[RawIOBase, BufferedIOBase],
    rows: "array[int]",
    row_shape: Tuple[int, ...],
    dtype: str,
) -> Iterator[bytes]:
    """Yields the bytes of rows of a file, some rows at a time."""
    row = numpy.empty(row_shape, dtype)
    num_rows = max(NUM_CHUNK_BYTES // row.nbytes, 1)
    for start in range(0, len(rows), num_rows):
        chunk = numpy.empty((len(rows[start : start + num_rows]), *row_shape), dtype)
        for number, vector in zip(rows[start : start + num_rows], chunk):
            file.seek(number * row.nbytes)
            file.readinto(vector)
        yield chunk.tobytes()
