"""Texts, analyses and a small language model for tests of the page to look at."""

from pathlib import Path
from typing import List, Optional, Sequence

import h5py
import numpy

from allennlp_elmo_plugin.look.content import Analysis, Scores, Substitutes
from allennlp_elmo_plugin.look.neighbours import nearest_contexts, nearest_words
from allennlp_elmo_plugin.look.plane import planes_of_words
from allennlp_elmo_plugin.look.text import ShownText
from tests.support.elmo_files import elmo_options, write_elmo_files

__all__ = ["LM_WORDS", "random_analysis", "two_periods", "write_language_model"]

LM_WORDS = ["</S>", "<S>", "<UNK>", "the", "coach", "stops", "rain", "."]
DIM = 8


def two_periods(*more: str) -> ShownText:
    """Returns a text of two periods, with more sentences at the end of the second."""
    first = ["The coach stopped .", "We saw the coach .", "No coach came , they said ."]
    second = ["The coach shouted .", "Her coach is young .", *more]
    return ShownText([[line.split() for line in period] for period in (first, second)], ["A", "B"])


def random_analysis(
    text: ShownText,
    has_softmax: bool = True,
    projection: Optional[str] = "pca",
    words: Optional[Sequence[str]] = None,
    num_layers: int = 3,
) -> Analysis:
    """Returns an analysis of random vectors and scores."""
    random = numpy.random.RandomState(0)
    num_tokens = len(text.tokens)
    vectors = random.normal(size=(num_layers, num_tokens, DIM)).astype(numpy.float32)
    # The token layer knows the word alone.
    vectors[0] = random.normal(size=(len(text.words), DIM))[text.word_ids]
    probabilities = random.dirichlet(numpy.ones(20), (3, num_tokens)).astype(numpy.float32)
    scores = Scores(
        random.gamma(2.0, 3.5, (2, num_tokens)).astype(numpy.float32),
        random.randint(1, 1000, (2, num_tokens)),
        numpy.arange(num_tokens) % 7 == 3,
        1000,
    )
    substitutes = Substitutes(
        [f"word{row}" for row in range(20)],
        random.randint(0, 20, (3, num_tokens, 4)),
        -numpy.sort(-probabilities, axis=2)[..., :4],
    )
    return Analysis(
        text,
        "a model",
        [nearest_contexts(layer, 4) for layer in vectors],
        [nearest_words(layer, text.word_ids, 4) for layer in vectors],
        projection,
        planes_of_words(text, vectors, projection, words) if projection else {},
        scores if has_softmax else None,
        substitutes if has_softmax else None,
    )


def write_language_model(folder: Path, has_softmax: bool = True) -> List[str]:
    """Writes a small biLM, by default with its softmax, and returns the words of the softmax."""
    options = elmo_options(projection_dim=DIM)
    write_elmo_files(folder, options, seed=5)
    if has_softmax:
        random = numpy.random.RandomState(1)
        with h5py.File(folder / "softmax.hdf5", "w") as file:
            file["softmax/W"] = random.normal(size=(len(LM_WORDS), DIM)).astype(numpy.float32)
            file["softmax/b"] = random.normal(size=len(LM_WORDS)).astype(numpy.float32)
        (folder / "vocab.txt").write_text("\n".join(LM_WORDS) + "\n", encoding="utf-8")
    return LM_WORDS
