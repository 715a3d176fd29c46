"""
JSON lines: a sentence on each, with its scores.
"""

import json
from typing import Any, Dict, List, Optional, Union

import numpy
import orjson
from overrides import overrides

from allennlp_elmo_plugin.extraction.result_shape import ResultShape
from allennlp_elmo_plugin.extraction.sentence import Sentence
from allennlp_elmo_plugin.scoring.outputs.lines import ScoreLines
from allennlp_elmo_plugin.scoring.scored_sentence import DIRECTIONS, ScoredSentence

__all__ = ["JsonLinesScores", "shortened"]

# A token with its quotes, its scores and its ranks.
NUM_TOKEN_BYTES = 48
NUM_LINE_BYTES = 320


class JsonLinesScores(ScoreLines):
    """
    A text file with an object in JSON for each sentence.

    `id` and `tokens` are the sentence, `unknown` the positions of the words outside of the
    vocabulary, from 0, and `perplexity` is that of both directions. Under `forward` and `backward`
    are `log_probabilities` or `surprisals` and `ranks`, a number for each token, those of the
    `boundary`, and the `perplexity`. A word that is left out has `null`.
    """

    endings = (".jsonl",)

    @classmethod
    @overrides
    def num_bytes(cls, shape: ResultShape, num_key_bytes: int, num_text_bytes: int) -> int:
        num_line_bytes = NUM_LINE_BYTES * shape.num_sentences + num_key_bytes
        return num_line_bytes + NUM_TOKEN_BYTES * shape.num_tokens

    @overrides
    def _write_scores(self, sentence: Sentence, scored: ScoredSentence) -> None:
        # Not by orjson, which refuses halves of surrogate pairs.
        head = {"id": sentence.key, "tokens": sentence.tokens}
        start = json.dumps(head, separators=(",", ":")).encode("ascii")
        fields: Dict[str, Any] = {"unknown": scored.unknown}
        for number, direction in enumerate(DIRECTIONS):
            fields[direction] = self._fields(scored, number)
        fields["perplexity"] = shortened(scored.perplexity)
        end = orjson.dumps(fields, option=orjson.OPT_SERIALIZE_NUMPY)
        self._file.write(start[:-1] + b"," + end[1:] + b"\n")

    def _fields(self, scored: ScoredSentence, number: int) -> Dict[str, Any]:
        scores, ranks = scored.scores[number], scored.ranks[number]
        return {
            self._style.scores_name: scores[:-1],
            "ranks": _without_zeros(ranks[:-1]),
            "boundary": {self._style.score_name: scores[-1], "rank": ranks[-1]},
            "perplexity": shortened(scored.perplexities[number]),
        }


def shortened(number: float) -> float:
    """
    Returns a number with as many digits as float32 has.

    # Parameters

    number : `float`
        The number.
    """
    return float(f"{number:.7g}")


def _without_zeros(ranks: numpy.ndarray) -> Union[numpy.ndarray, List[Optional[int]]]:
    return ranks if ranks.all() else [rank or None for rank in ranks.tolist()]
