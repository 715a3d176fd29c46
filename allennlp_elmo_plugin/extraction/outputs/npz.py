"""
NumPy's `.npz`: a zip file with an array for each sentence.
"""

from typing import Iterable, Set

import numpy
from allennlp.common.checks import ConfigurationError
from overrides import overrides

from allennlp_elmo_plugin.extraction.outputs.base import Output, num_vector_bytes
from allennlp_elmo_plugin.extraction.outputs.npy_header import npy_header
from allennlp_elmo_plugin.extraction.result_shape import ResultShape
from allennlp_elmo_plugin.extraction.sentence import Sentence
from allennlp_elmo_plugin.io.zip_entries import read_entries, write_directory, write_entry

__all__ = ["NpzOutput"]

ENDING = ".npy"
MAX_NAME_BYTES = 0xFFFF
# Two descriptions of an entry, and the header of its array.
NUM_ENTRY_BYTES = 256


class NpzOutput(Output):
    """
    An uncompressed zip file with an array for each sentence, under its key.

    Of each sentence it keeps a hash of the key in memory, about 100 bytes, to find equal keys.
    """

    endings = (".npz",)

    @classmethod
    @overrides
    def num_bytes(cls, shape: ResultShape, num_key_bytes: int, num_text_bytes: int) -> int:
        return num_vector_bytes(shape) + NUM_ENTRY_BYTES * shape.num_sentences + 2 * num_key_bytes

    @overrides
    def _open(self, is_new: bool) -> None:
        self._end = self._file.seek(0, 2)
        self._hashes: Set[int] = {hash(entry.name) for entry in read_entries(self._file, self._end)}

    @overrides
    def _write(self, sentence: Sentence, vectors: numpy.ndarray) -> None:
        name = _entry_name(sentence.key)
        self._file.seek(self._end)
        if hash(name) in self._hashes:
            self._require_new(name, sentence.key)
            self._file.seek(self._end)
        self._hashes.add(hash(name))
        header = npy_header(vectors.shape, self._shape.dtype)
        write_entry(self._file, name, [header, vectors.tobytes()])
        self._end = self._file.tell()

    @overrides
    def _flush(self) -> None:
        pass

    @overrides
    def _complete(self, sentences: Iterable[Sentence]) -> None:
        write_directory(self._file, self._end)

    def _require_new(self, name: bytes, key: str) -> None:
        """Looks for a name in the file, since two names may have the same hash."""
        if any(entry.name == name for entry in read_entries(self._file, self._end)):
            raise ConfigurationError(
                f"Expected a key of its own for each sentence, but there are two with "
                f"{key[:100]!r}. Number the sentences, or choose another format."
            )


def _entry_name(key: str) -> bytes:
    problem = ""
    if "\0" in key:
        problem = "has a zero character"
    elif key.endswith(ENDING):
        # "a" is stored under that name as well.
        problem = f"ends with '{ENDING}'"
    try:
        name = (key + ENDING).encode()
        if len(name) > MAX_NAME_BYTES:
            problem = f"has more than {MAX_NAME_BYTES - len(ENDING)} bytes"
    except UnicodeEncodeError:
        problem = "has half of a character"
    if problem:
        raise ConfigurationError(
            f"Expected keys that can be names in an .npz file, but {key[:100]!r} {problem}. Number "
            "the sentences, or choose another format."
        )
    return name
