"""
The numbers of a page as JSON, in whole numbers, which are short and exact.
"""

import json
from typing import Any, Dict, List

import numpy

from allennlp_elmo_plugin.look.content import Analysis, Scores, Substitutes
from allennlp_elmo_plugin.look.neighbours import Neighbours
from allennlp_elmo_plugin.look.plane import Plane

__all__ = ["page_data", "to_script_json"]

TENTHS, THOUSANDTHS, TEN_THOUSANDTHS = 10, 1_000, 10_000

ESCAPES = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


def page_data(analysis: Analysis) -> Dict[str, Any]:
    """
    Returns what the script of a page reads.

    # Parameters

    analysis : `Analysis`
        Everything that the page shows.

    # Returns

    `Dict[str, Any]`
        Values of JSON. Lists for tokens and neighbours are flat. Surprisals are in tenths of a
        bit, cosines and coordinates in thousandths, probabilities in ten-thousandths.
    """
    text = analysis.text
    return {
        "words": text.words,
        "tokens": text.word_ids.tolist(),
        "sentenceStarts": text.sentence_starts(),
        "periodStarts": text.period_starts(),
        "names": text.names,
        "topn": analysis.contexts[0].ids.shape[1],
        "contexts": [_neighbours(layer) for layer in analysis.contexts],
        "nearWords": [_neighbours(layer) for layer in analysis.words],
        "planes": {
            text.words.index(word): [_plane(plane) for plane in planes]
            for word, planes in analysis.planes.items()
        },
        "scores": None if analysis.scores is None else _scores(analysis.scores),
        "substitutes": (
            None if analysis.substitutes is None else _substitutes(analysis.substitutes)
        ),
    }


def to_script_json(value: Any) -> str:
    """
    Returns JSON that may stand in a `<script>` of any HTML page.

    # Parameters

    value : `Any`
        A value of JSON.

    # Returns

    `str`
        JSON in which no character is special in HTML.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # They occur in strings alone, and there the escaped character is the same one.
    return text.translate(ESCAPES)


def _neighbours(neighbours: Neighbours) -> Dict[str, List[int]]:
    return {
        "ids": neighbours.ids.ravel().tolist(),
        "values": _whole(neighbours.cosines, THOUSANDTHS),
    }


def _plane(plane: Plane) -> Dict[str, Any]:
    return {"points": _whole(plane.points, THOUSANDTHS), "note": _plane_note(plane)}


def _plane_note(plane: Plane) -> str:
    if not plane.points.any():
        return "All contexts have the same vector in this layer, which knows the word alone."
    if plane.shares is None:
        return "UMAP: contexts with similar vectors lie close together; distances say little more."
    across, up = (f"{100 * share:.0f}%" for share in plane.shares)
    return f"PCA: from left to right {across} of the variance, from bottom to top {up}."


def _scores(scores: Scores) -> Dict[str, Any]:
    return {
        "surprisal": [_whole(direction, TENTHS) for direction in scores.surprisal],
        "ranks": scores.ranks.tolist(),
        "unknown": numpy.flatnonzero(scores.is_unknown).tolist(),
        "numWords": scores.num_words,
    }


def _substitutes(substitutes: Substitutes) -> Dict[str, Any]:
    rows, ids = numpy.unique(substitutes.rows, return_inverse=True)
    ids = ids.reshape(len(substitutes.rows), -1)
    return {
        "words": [substitutes.words[row] for row in rows],
        "by": [
            {"ids": numbers.tolist(), "values": _whole(values, TEN_THOUSANDTHS)}
            for numbers, values in zip(ids, substitutes.probabilities)
        ],
    }


def _whole(values: numpy.ndarray, steps: int) -> List[int]:
    return numpy.rint(values.astype(numpy.float64) * steps).astype(numpy.int64).ravel().tolist()
