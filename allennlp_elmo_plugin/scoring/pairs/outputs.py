"""
The formats of files of scored pairs.
"""

import json
import os
from abc import abstractmethod
from typing import Any, Dict, Iterable, List, NamedTuple, Optional

import numpy
from overrides import overrides

from allennlp_elmo_plugin.extraction.outputs.base import Output
from allennlp_elmo_plugin.extraction.result_shape import ResultShape
from allennlp_elmo_plugin.extraction.sentence import Sentence
from allennlp_elmo_plugin.io.journaled_file import JournaledFile
from allennlp_elmo_plugin.scoring.language_model import LanguageModel
from allennlp_elmo_plugin.scoring.outputs.base import require_finite
from allennlp_elmo_plugin.scoring.outputs.tab_separated import (
    tab_separated_line,
    tab_separated_text,
)
from allennlp_elmo_plugin.scoring.pairs.accuracy import Accuracy
from allennlp_elmo_plugin.scoring.pairs.preference import MemberScores, Preference
from allennlp_elmo_plugin.scoring.scored_sentence import score_sentence
from allennlp_elmo_plugin.scoring.style import ScoreStyle

__all__ = ["ACCURACY", "JsonLinesPairs", "PairOutput", "TsvPairs"]

ACCURACY, FIRST = "accuracy", "first"
"""Keys of a commit's record: the accuracy so far, and the first half of a pair."""

NUM_DECIMALS = 6
NUM_PAIR_BYTES = 320
NUM_TOKEN_BYTES = 12


class ScoredPair(NamedTuple):
    """The scores of a pair."""

    number: int
    group: str
    good: MemberScores
    bad: MemberScores
    prefers: str


class PairOutput(Output):
    """
    A text file that receives the scores of pairs, sentence by sentence.

    # Parameters

    file : `JournaledFile`
        The unfinished file.
    shape : `ResultShape`
        Shape of all results.
    language_model : `LanguageModel`
        The model, which knows its vocabulary.
    style : `ScoreStyle`
        The style, which says if words outside of the vocabulary count.
    preference : `Preference`
        The rule that chooses a sentence.
    """

    def __init__(
        self,
        file: JournaledFile,
        shape: ResultShape,
        language_model: LanguageModel,
        style: ScoreStyle,
        preference: Preference,
    ) -> None:
        self._language_model, self._style = language_model, style
        self._preference = preference
        record = file.record or {}
        self._accuracy = Accuracy(record.get(ACCURACY))
        first = record.get(FIRST)
        self._first: Optional[MemberScores] = None if first is None else MemberScores(*first)
        super().__init__(file, shape)

    @classmethod
    @overrides
    def num_bytes(cls, shape: ResultShape, num_key_bytes: int, num_text_bytes: int) -> int:
        num_pairs = shape.num_sentences // 2
        return NUM_PAIR_BYTES * num_pairs + NUM_TOKEN_BYTES * shape.num_tokens + num_key_bytes // 2

    @overrides
    def commit(self, record: Dict[str, Any]) -> None:
        super().commit({**record, ACCURACY: self._accuracy.groups, FIRST: self._first})

    @overrides
    def _open(self, is_new: bool) -> None:
        self._file.seek(0, os.SEEK_END)
        if is_new:
            self._file.write(self._header())

    @overrides
    def _write(self, sentence: Sentence, vectors: numpy.ndarray) -> None:
        require_finite(sentence, vectors)
        scored = score_sentence(sentence.tokens, vectors, self._language_model, self._style)
        member = MemberScores.of(sentence.tokens, scored)
        if self._first is None:
            self._first = member
            return
        good, self._first = self._first, None
        chosen = self._preference.choose(good, member)
        number = self.num_sentences // 2
        self._file.write(self._line(ScoredPair(number, sentence.key, good, member, chosen)))
        self._accuracy.add(sentence.key, chosen, bool(good.unknown or member.unknown))

    def _header(self) -> bytes:
        """Returns what stands before the first pair."""
        return b""

    @abstractmethod
    def _line(self, pair: ScoredPair) -> bytes:
        """Returns the line of a pair."""

    @overrides
    def _flush(self) -> None:
        pass

    @overrides
    def _complete(self, sentences: Iterable[Sentence]) -> None:
        pass


class JsonLinesPairs(PairOutput):
    """
    A text file with an object in JSON for each pair.

    `pair` is its number from 0, `group` its group, and `prefers` is `good`, `bad` or `tie`. Under
    `sentence_good` and `sentence_bad` are the `tokens`, the positions of `unknown` ones, and the
    log probabilities in nats: `forward`, `backward`, and their mean `both`.
    """

    endings = (".jsonl",)

    @overrides
    def _line(self, pair: ScoredPair) -> bytes:
        fields = {
            "pair": pair.number,
            "group": pair.group,
            "sentence_good": _member_fields(pair.good),
            "sentence_bad": _member_fields(pair.bad),
            "prefers": pair.prefers,
        }
        return json.dumps(fields).encode("ascii") + b"\n"


class TsvPairs(PairOutput):
    """
    A table with a header and a row for each pair.

    Its columns are `pair`, `group`, `prefers`, and for each sentence its tokens, separated by
    spaces, the number of them that are not in the vocabulary, and the log probabilities in nats.
    Nothing is quoted; see `tab_separated_text`.
    """

    endings = (".tsv",)

    @overrides
    def _header(self) -> bytes:
        members = [
            f"{member}{name}"
            for member in ("sentence_good", "sentence_bad")
            for name in ("", "_num_unknown", "_forward", "_backward", "_both")
        ]
        return tab_separated_line(["pair", "group", "prefers", *members])

    @overrides
    def _line(self, pair: ScoredPair) -> bytes:
        fields: List[str] = [str(pair.number), tab_separated_text(pair.group), pair.prefers]
        for member in (pair.good, pair.bad):
            scores = (member.forward, member.backward, member.both)
            fields += [
                tab_separated_text(" ".join(member.tokens)),
                str(len(member.unknown)),
                *(str(round(score, NUM_DECIMALS)) for score in scores),
            ]
        return tab_separated_line(fields)


def _member_fields(member: MemberScores) -> Dict[str, Any]:
    return {
        "tokens": member.tokens,
        "unknown": member.unknown,
        "forward": round(member.forward, NUM_DECIMALS),
        "backward": round(member.backward, NUM_DECIMALS),
        "both": round(member.both, NUM_DECIMALS),
    }
