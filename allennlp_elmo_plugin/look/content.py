"""
The content of a page: neighbours, planes, and the opinions of a language model about a text.
"""

from typing import Dict, List, NamedTuple, Optional

import numpy

from allennlp_elmo_plugin.look.neighbours import Neighbours
from allennlp_elmo_plugin.look.plane import Plane
from allennlp_elmo_plugin.look.text import ShownText

__all__ = ["Analysis", "Scores", "Substitutes"]


class Scores(NamedTuple):
    """
    The surprisal of each token for a language model.

    # Parameters

    surprisal : `numpy.ndarray`
        In bits, of shape (2, tokens), float32: forward, then backward.
    ranks : `numpy.ndarray`
        Rank of the token among all words, from 1, of shape (2, tokens), int64.
    is_unknown : `numpy.ndarray`
        `True` for tokens outside the vocabulary, of shape (tokens,), bool. They are scored as the
        unknown word.
    num_words : `int`
        Size of the vocabulary.
    """

    surprisal: numpy.ndarray
    ranks: numpy.ndarray
    is_unknown: numpy.ndarray
    num_words: int


class Substitutes(NamedTuple):
    """
    Words that a language model expects in place of each token, the most probable first.

    # Parameters

    words : `List[str]`
        The vocabulary.
    rows : `numpy.ndarray`
        Numbers of words, of shape (3, tokens, topn), int64: by the forward, the backward and the
        combined distribution.
    probabilities : `numpy.ndarray`
        Their probabilities, of the same shape, float32.
    """

    words: List[str]
    rows: numpy.ndarray
    probabilities: numpy.ndarray


class Analysis(NamedTuple):
    """
    Everything that a page shows.

    # Parameters

    text : `ShownText`
        The text.
    model : `str`
        Name of the model.
    contexts : `List[Neighbours]`
        The nearest tokens of each token, for each layer.
    words : `List[Neighbours]`
        The nearest words of each token, for each layer.
    projection : `Optional[str]`
        Name of the projection of the planes, or `None` for a page without planes.
    planes : `Dict[str, List[Plane]]`
        For each word with a plane, a plane for each layer.
    scores : `Optional[Scores]`
        Surprisals, or `None` for a model without a softmax.
    substitutes : `Optional[Substitutes]`
        Substitutes, or `None` for a model without a softmax.
    """

    text: ShownText
    model: str
    contexts: List[Neighbours]
    words: List[Neighbours]
    projection: Optional[str]
    planes: Dict[str, List[Plane]]
    scores: Optional[Scores]
    substitutes: Optional[Substitutes]
