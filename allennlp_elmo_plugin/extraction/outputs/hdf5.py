"""
HDF5 files in the layout of AllenNLP 0.9: a dataset for each sentence, and a table of all sentences.
"""

import json
from functools import lru_cache
from hashlib import blake2b
from io import BytesIO
from typing import Iterable

import h5py
import numpy
from allennlp.common.checks import ConfigurationError
from h5py import h5d, h5p, h5s, h5t
from overrides import overrides

from allennlp_elmo_plugin.extraction.outputs.base import Output, num_vector_bytes
from allennlp_elmo_plugin.extraction.result_shape import ResultShape
from allennlp_elmo_plugin.extraction.sentence import Sentence

__all__ = ["Hdf5Output"]

INDEX = "sentence_to_index"
TYPES = {"float32": h5t.IEEE_F32LE, "float16": h5t.IEEE_F16LE}
# A group's entry, its share of the B-tree, and the description of the dataset.
NUM_DATASET_BYTES = 400
# The heap of names doubles when it is full.
NUM_NAME_COPIES = 3


class Hdf5Output(Output):
    """
    An HDF5 file with a dataset for each sentence, under its key.

    A key with `/` names a dataset in groups, as in h5py. With `has_sentence_index`, the dataset
    `sentence_to_index` of shape (1,) holds the JSON of `{text: key}`; of equal texts the last
    counts.
    """

    endings = (".hdf5", ".h5")
    takes_sentence_index = True

    @classmethod
    @overrides
    def num_bytes(cls, shape: ResultShape, num_key_bytes: int, num_text_bytes: int) -> int:
        num_other_bytes = cls.num_working_bytes(shape, num_key_bytes, num_text_bytes)
        if num_text_bytes:
            num_other_bytes += num_text_bytes + num_key_bytes + 8 * shape.num_sentences
        return num_vector_bytes(shape) + num_other_bytes

    @classmethod
    @overrides
    def num_working_bytes(cls, shape: ResultShape, num_key_bytes: int, num_text_bytes: int) -> int:
        # A commit may change the description of each dataset, and writes that to the journal first.
        return NUM_DATASET_BYTES * shape.num_sentences + NUM_NAME_COPIES * num_key_bytes

    @overrides
    def close(self) -> None:
        if not self._is_complete:
            self._hdf5.close()
        super().close()

    @overrides
    def _open(self, is_new: bool) -> None:
        self._file.is_patient = True
        self._hdf5 = h5py.File(self._file, "w" if is_new else "r+", libver="earliest")
        self._type = TYPES[self._shape.dtype]
        self._makes_groups = h5p.create(h5p.LINK_CREATE)
        self._makes_groups.set_create_intermediate_group(True)
        self._makes_groups.set_char_encoding(h5t.CSET_UTF8)

    @overrides
    def _write(self, sentence: Sentence, vectors: numpy.ndarray) -> None:
        self._write_dataset(sentence.key, vectors)

    def _write_dataset(self, key: str, array: numpy.ndarray) -> h5d.DatasetID:
        """Writes the dataset of a sentence, and returns it."""
        # h5py's own way, `create_dataset`, takes twice the time.
        is_plain = key.isascii() and "/" not in key
        try:
            if key == INDEX and self._has_sentence_index:
                raise ValueError("this is the name of the table of all sentences")
            if "\0" in key:
                raise ValueError("HDF5 would cut it off at the zero character")
            dataset = h5d.create(
                *(self._hdf5.id, key.encode(), self._type, _space(array.shape)),
                *(None, None if is_plain else self._makes_groups),
            )
        except (KeyError, OSError, RuntimeError, ValueError) as error:
            self._file.raise_error()
            raise ConfigurationError(
                f"Expected a new name for the dataset of each sentence, but got {key[:100]!r} "
                f"({error}). Is it the key of two sentences? Number the sentences, or choose "
                "another format."
            ) from error
        dataset.write(h5s.ALL, h5s.ALL, array, self._type)
        return dataset

    @overrides
    def _flush(self) -> None:
        self._hdf5.flush()
        self._file.raise_error()

    @overrides
    def _complete(self, sentences: Iterable[Sentence]) -> None:
        if self._has_sentence_index:
            index = self._hdf5.create_dataset(INDEX, (1,), dtype=h5py.string_dtype())
            index[0] = _sentence_index(sentences)
        # Closing changes the file, too.
        self._hdf5.close()
        self._file.raise_error()


_space = lru_cache(maxsize=256)(h5s.create_simple)


def _sentence_index(sentences: Iterable[Sentence]) -> bytes:
    """Returns the JSON of `{text: key}`, without a dictionary of all texts in memory."""
    digests = bytearray()
    for sentence in sentences:
        digests += blake2b(_encode(sentence.text), digest_size=16).digest()
    # The first in the reversed array is the last.
    unique = numpy.frombuffer(digests, dtype=[("high", "u8"), ("low", "u8")])[::-1]
    counts = numpy.zeros(len(unique), dtype=bool)
    counts[len(unique) - 1 - numpy.unique(unique, return_index=True)[1]] = True
    index = BytesIO()
    separator = "{"
    for sentence, does_count in zip(sentences, counts):
        if does_count:
            entry = f"{separator}{json.dumps(sentence.text)}: {json.dumps(sentence.key)}"
            index.write(entry.encode())
            separator = ", "
    index.write(b"}" if index.tell() else b"{}")
    return index.getvalue()


def _encode(text: str) -> bytes:
    # JSON lines can name halves of characters, which UTF-8 does not have.
    return text.encode("utf-8", "surrogatepass")
