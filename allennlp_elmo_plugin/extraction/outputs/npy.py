"""
NumPy's `.npy`: one array for all sentences, with their ids in a JSON file beside it.
"""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Iterable, Iterator, TextIO

import numpy
from overrides import overrides

from allennlp_elmo_plugin.extraction.outputs.base import Output, num_vector_bytes
from allennlp_elmo_plugin.extraction.outputs.npy_header import npy_header
from allennlp_elmo_plugin.extraction.result_shape import ResultShape
from allennlp_elmo_plugin.extraction.sentence import Sentence
from allennlp_elmo_plugin.io.atomic import write_atomically
from allennlp_elmo_plugin.io.journaled_file import JournaledFile
from allennlp_elmo_plugin.io.lazy import lazy_property

__all__ = ["NpyOutput"]

COUNT_SIZE = 8
NUM_ID_BYTES = 12


class NpyOutput(Output):
    """
    An array of the tokens of all sentences, one after another, or of all sentences if pooled.

    Its shape is (tokens or sentences, layers, dim), without the layers if there are none. The file
    with the ending `.json` beside it is the list of all keys if pooled, and otherwise
    `{"ids": [...], "num_tokens": [...]}`.
    """

    endings = (".npy",)
    has_json_beside = True

    @classmethod
    @overrides
    def num_bytes(cls, shape: ResultShape, num_key_bytes: int, num_text_bytes: int) -> int:
        return num_vector_bytes(shape) + num_key_bytes + NUM_ID_BYTES * shape.num_sentences

    @classmethod
    @overrides
    def num_working_bytes(cls, shape: ResultShape, num_key_bytes: int, num_text_bytes: int) -> int:
        return (1 << 20) + COUNT_SIZE * shape.num_sentences

    @lazy_property
    def _counts(self) -> JournaledFile:
        """The number of rows of each sentence, unless these are pooled."""
        # They are committed before the array, so there may be more of them.
        counts = JournaledFile(f"{self._file.name}.num_tokens")
        counts.truncate(COUNT_SIZE * self.num_sentences)
        counts.seek(0, os.SEEK_END)
        return counts

    @overrides
    def close(self) -> None:
        if not self._shape.is_pooled:
            self._counts.close()
        super().close()

    @overrides
    def _open(self, is_new: bool) -> None:
        if is_new:
            shape = (self._shape.num_rows, *self._shape.of_row)
            self._file.write(npy_header(shape, self._shape.dtype))
        self._file.seek(0, os.SEEK_END)

    @overrides
    def _write(self, sentence: Sentence, vectors: numpy.ndarray) -> None:
        if not self._shape.is_pooled:
            self._counts.write(vectors.shape[-2].to_bytes(COUNT_SIZE, "little"))
            if self._shape.num_layers is not None:
                vectors = vectors.swapaxes(0, 1)
        self._file.write(vectors.tobytes())

    @overrides
    def _flush(self) -> None:
        if not self._shape.is_pooled:
            self._counts.commit({})

    @overrides
    def _complete(self, sentences: Iterable[Sentence]) -> None:
        pass

    @overrides
    def _publish(self, sentences: Iterable[Sentence], output: Path) -> None:
        ids_path, _ = self.paths(output)
        # An array of an earlier run must not stand beside the ids of this one.
        with suppress(FileNotFoundError):
            output.unlink()
        keys = (json.dumps(sentence.key) for sentence in sentences)
        with write_atomically(ids_path) as partial, open(partial, "w", encoding="utf-8") as file:
            if self._shape.is_pooled:
                _write_list(file, keys)
            else:
                file.write('{"ids": ')
                _write_list(file, keys)
                file.write(', "num_tokens": ')
                _write_list(file, map(str, self._num_tokens()))
                file.write("}")
        super()._publish(sentences, output)

    def _num_tokens(self) -> Iterator[int]:
        self._counts.seek(0)
        for _ in range(self.num_sentences):
            yield int.from_bytes(self._counts.read(COUNT_SIZE), "little")


def _write_list(file: TextIO, items: Iterable[str]) -> None:
    separator = "["
    for item in items:
        file.write(separator + item)
        separator = ", "
    file.write("]" if separator != "[" else "[]")
