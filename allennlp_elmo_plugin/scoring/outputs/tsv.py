"""
TSV: a table with a row for each token, for R and pandas.
"""

from typing import List

import numpy
import orjson
from overrides import overrides

from allennlp_elmo_plugin.extraction.result_shape import ResultShape
from allennlp_elmo_plugin.extraction.sentence import Sentence
from allennlp_elmo_plugin.network.spelling import BEGIN_OF_SENTENCE_TOKEN, END_OF_SENTENCE_TOKEN
from allennlp_elmo_plugin.scoring.outputs.lines import ScoreLines
from allennlp_elmo_plugin.scoring.outputs.tab_separated import (
    tab_separated_line,
    tab_separated_text,
)
from allennlp_elmo_plugin.scoring.scored_sentence import DIRECTIONS, ScoredSentence

__all__ = ["TsvScores"]

NUM_ROW_BYTES = 56
TRUTH = {True: "TRUE", False: "FALSE"}
MISSING = ""


class TsvScores(ScoreLines):
    """
    A table with a header and a row for each token and each boundary.

    Its columns are `sentence`, `position`, `token`, `unknown` (`TRUE` or `FALSE`), and the score
    and the rank of each direction. Tokens count from 0. Before them stands `<S>` at the position
    -1, which only the backward direction predicts, and behind them `</S>`, which only the forward
    one does. An empty field is a missing number. Nothing is quoted; see `tab_separated_text`.
    """

    endings = (".tsv",)

    @classmethod
    @overrides
    def num_bytes(cls, shape: ResultShape, num_key_bytes: int, num_text_bytes: int) -> int:
        num_rows = shape.num_tokens + shape.num_sentences
        num_bytes_of_a_key = num_key_bytes // max(1, shape.num_sentences) + 1
        return num_rows * (NUM_ROW_BYTES + num_bytes_of_a_key)

    @overrides
    def _header(self) -> bytes:
        numbers = [
            f"{direction}_{name}"
            for direction in DIRECTIONS
            for name in (self._style.score_name, "rank")
        ]
        return tab_separated_line(["sentence", "position", "token", "unknown", *numbers])

    @overrides
    def _write_scores(self, sentence: Sentence, scored: ScoredSentence) -> None:
        key = tab_separated_text(sentence.key)
        forward, backward = (
            [*zip(_texts(scored.scores[number]), _texts(scored.ranks[number]))]
            for number in range(len(DIRECTIONS))
        )
        missing = (MISSING, MISSING)
        unknown = set(scored.unknown)
        rows = [
            (key, "-1", BEGIN_OF_SENTENCE_TOKEN, TRUTH[False], *missing, *backward[-1]),
            *(
                (
                    *(key, str(at), tab_separated_text(token), TRUTH[at in unknown]),
                    *(*forward[at], *backward[at]),
                )
                for at, token in enumerate(sentence.tokens)
            ),
            (
                *(key, str(len(sentence.tokens)), END_OF_SENTENCE_TOKEN, TRUTH[False]),
                *(*forward[-1], *missing),
            ),
        ]
        self._file.write(b"".join(map(tab_separated_line, rows)))


def _texts(numbers: numpy.ndarray) -> List[str]:
    """Returns each number with as many digits as its type needs. Those left out are empty."""
    texts = orjson.dumps(numbers, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].decode().split(",")
    return [MISSING if text in ("null", "0") else text for text in texts]
