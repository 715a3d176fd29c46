"""
Analysing a text with a biLM, and with its softmax if it has one.
"""

import math
from typing import List, Optional, Sequence

import numpy

from allennlp_elmo_plugin.embedder.encoder import ElmoEncoder
from allennlp_elmo_plugin.extraction.extractor import ElmoExtractor
from allennlp_elmo_plugin.look.content import Analysis, Scores, Substitutes
from allennlp_elmo_plugin.look.neighbours import nearest_contexts, nearest_words
from allennlp_elmo_plugin.look.plane import planes_of_words
from allennlp_elmo_plugin.look.text import ShownText
from allennlp_elmo_plugin.scoring.language_model import LanguageModel
from allennlp_elmo_plugin.scoring.scorer import ElmoScorer
from allennlp_elmo_plugin.scoring.substitutes import SubstituteFinder

__all__ = ["analyse", "find_substitutes", "score_tokens"]


def analyse(
    text: ShownText,
    encoder: ElmoEncoder,
    language_model: Optional[LanguageModel] = None,
    model: str = "ELMo",
    topn: int = 10,
    projection: Optional[str] = "pca",
    words: Optional[Sequence[str]] = None,
    max_tokens: int = 2048,
) -> Analysis:
    """
    Computes everything that a page shows.

    # Parameters

    text : `ShownText`
        The text.
    encoder : `ElmoEncoder`
        The encoder, each sentence of which has the same layers wherever it stands.
    language_model : `Optional[LanguageModel]`, optional (default = `None`)
        The same biLM with its softmax, or `None` for no surprisals and no substitutes.
    model : `str`, optional (default = `"ELMo"`)
        Name of the model on the page.
    topn : `int`, optional (default = `10`)
        Number of neighbours and of substitutes.
    projection : `Optional[str]`, optional (default = `"pca"`)
        Projection of the planes, `"pca"` or `"umap"`, or `None` for no planes.
    words : `Optional[Sequence[str]]`, optional (default = `None`)
        Words that have planes. `None` is all that occur often enough.
    max_tokens : `int`, optional (default = `2048`)
        Largest size of a batch.

    # Returns

    `Analysis`

    # Raises

    `ConfigurationError`
        If one of the words occurs too rarely, or if a package is missing.
    """
    vectors = numpy.concatenate(
        ElmoExtractor(encoder, max_tokens=max_tokens).embed(text.sentences), axis=1
    )
    scores, substitutes = None, None
    if language_model is not None:
        scores = score_tokens(text, language_model, max_tokens)
        substitutes = find_substitutes(text, language_model, topn, max_tokens)
    return Analysis(
        text=text,
        model=model,
        contexts=[nearest_contexts(layer, topn) for layer in vectors],
        words=[nearest_words(layer, text.word_ids, topn) for layer in vectors],
        projection=projection,
        planes=planes_of_words(text, vectors, projection, words) if projection else {},
        scores=scores,
        substitutes=substitutes,
    )


def score_tokens(text: ShownText, language_model: LanguageModel, max_tokens: int = 2048) -> Scores:
    """
    Computes the surprisals of a text.

    # Parameters

    text, language_model, max_tokens :
        As for `analyse`.

    # Returns

    `Scores`
    """
    scorer = ElmoScorer(language_model, max_tokens=max_tokens)
    # The last prediction of a sentence is its boundary, which the page does not show.
    scores = _joined([each[:, :-1] for each in scorer.score(text.sentences)])
    return Scores(
        surprisal=-scores[..., 0] / math.log(2.0),
        ranks=scores[..., 1].astype(numpy.int64),
        is_unknown=numpy.array([language_model.is_unknown(token) for token in text.tokens]),
        num_words=len(language_model.words),
    )


def find_substitutes(
    text: ShownText, language_model: LanguageModel, topn: int = 10, max_tokens: int = 2048
) -> Substitutes:
    """
    Finds the substitutes of all tokens of a text.

    # Parameters

    text, language_model, topn, max_tokens :
        As for `analyse`.

    # Returns

    `Substitutes`
    """
    finder = SubstituteFinder(language_model, topn=topn, max_tokens=max_tokens)
    found = _joined(finder.find(text.sentences))
    return Substitutes(
        words=language_model.words,
        rows=found[..., 0].astype(numpy.int64),
        probabilities=numpy.exp(found[..., 1]),
    )


def _joined(arrays: List[numpy.ndarray]) -> numpy.ndarray:
    """Joins the tokens of sentences, which are the second dimension."""
    return numpy.concatenate(arrays, axis=1)
