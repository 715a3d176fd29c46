"""
JSON lines with substitutes: a line for each sentence, or for each occurrence of a target word.
"""

import gzip
import json
import os
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional

import numpy
from overrides import overrides

from allennlp_elmo_plugin.extraction.outputs.base import Output
from allennlp_elmo_plugin.extraction.result_shape import ResultShape
from allennlp_elmo_plugin.extraction.sentence import Sentence
from allennlp_elmo_plugin.extraction.targets import positions
from allennlp_elmo_plugin.io.journaled_file import JournaledFile
from allennlp_elmo_plugin.scoring.substitutes import SubstituteFinder

__all__ = ["GzippedSubstitutesOutput", "SubstitutesOutput"]

NUM_CANDIDATE_BYTES = 22
NUM_ROW_BYTES = 80
GZIP_FACTOR = 3
NUM_MEMBER_BYTES = 1 << 20


class SubstitutesOutput(Output):
    """
    A text file of objects in JSON, one a line.

    A sentence is `{"id": ..., "tokens": [...], "forward": [...], ...}`, where each distribution has
    a list of candidates for each token. With targets, an occurrence is `{"id": ..., "position":
    ..., "token": ..., "lemma": ..., "forward": [...], ...}` with the candidates in its place. A
    candidate is `[word, log probability]`, and the most probable one comes first.

    # Parameters

    file : `JournaledFile`
        The unfinished file.
    shape : `ResultShape`
        Shape of all results. With targets, its tokens are the occurrences.
    finder : `SubstituteFinder`
        The engine, which knows the words and the distributions.
    targets : `Mapping[str, str]`, optional (default = `None`)
        The lemma of each token that is a target. `None` is for all tokens.
    """

    endings = (".jsonl",)

    def __init__(
        self,
        file: JournaledFile,
        shape: ResultShape,
        finder: SubstituteFinder,
        targets: Optional[Mapping[str, str]] = None,
    ) -> None:
        self._words, self._by, self._targets = finder.language_model.words, finder.by, targets
        super().__init__(file, shape)

    @classmethod
    @overrides
    def num_bytes(cls, shape: ResultShape, num_key_bytes: int, num_text_bytes: int) -> int:
        num_candidates = (shape.num_layers or 1) * (shape.dim // 2)
        num_row_bytes = NUM_ROW_BYTES + num_candidates * NUM_CANDIDATE_BYTES
        return shape.num_tokens * num_row_bytes + num_key_bytes

    @overrides
    def _open(self, is_new: bool) -> None:
        self._file.seek(0, os.SEEK_END)

    @overrides
    def _write(self, sentence: Sentence, vectors: numpy.ndarray) -> None:
        for content in self._lines(sentence, vectors):
            line = json.dumps(content, ensure_ascii=False, allow_nan=False)
            self._write_line(line.encode("utf-8") + b"\n")

    def _write_line(self, line: bytes) -> None:
        self._file.write(line)

    def _lines(self, sentence: Sentence, vectors: numpy.ndarray) -> Iterator[Dict[str, Any]]:
        if self._targets is None:
            candidates = {name: self._pairs(rows) for name, rows in zip(self._by, vectors)}
            yield {"id": sentence.key, "tokens": sentence.tokens, **candidates}
            return
        places = positions(sentence, self._targets)
        chosen = {name: self._pairs(rows[places]) for name, rows in zip(self._by, vectors)}
        for number, position in enumerate(places):
            token = sentence.tokens[position]
            yield {
                "id": sentence.key,
                "position": position,
                "token": token,
                "lemma": self._targets[token],
                **{name: of_places[number] for name, of_places in chosen.items()},
            }

    def _pairs(self, rows: numpy.ndarray) -> List[List[List[Any]]]:
        """Returns the candidates of some tokens, from rows of numbers of words and scores."""
        words = rows[:, ::2].astype(int).tolist()
        # The shortest decimals that give the same float32 back.
        scores = rows[:, 1::2].astype(str).astype(float).tolist()
        return [
            [[self._words[word], score] for word, score in zip(*each)]
            for each in zip(words, scores)
        ]

    @overrides
    def _flush(self) -> None:
        pass

    @overrides
    def _complete(self, sentences: Iterable[Sentence]) -> None:
        pass


class GzippedSubstitutesOutput(SubstitutesOutput):
    """
    The same text, compressed by gzip in several members, which all readers take for one.

    # Parameters

    file, shape, finder, targets :
        As for `SubstitutesOutput`.
    """

    endings = (".jsonl.gz",)

    @classmethod
    @overrides
    def num_bytes(cls, shape: ResultShape, num_key_bytes: int, num_text_bytes: int) -> int:
        return super().num_bytes(shape, num_key_bytes, num_text_bytes) // GZIP_FACTOR

    @overrides
    def _open(self, is_new: bool) -> None:
        super()._open(is_new)
        self._waiting = bytearray()

    @overrides
    def _write_line(self, line: bytes) -> None:
        self._waiting += line
        if len(self._waiting) >= NUM_MEMBER_BYTES:
            self._flush()

    @overrides
    def _flush(self) -> None:
        if self._waiting:
            self._file.write(gzip.compress(self._waiting))
            self._waiting.clear()
