"""Small language models as files, and their scores in NumPy, float64."""

from pathlib import Path
from typing import List, Sequence

import h5py
import numpy

from tests.support.elmo_files import elmo_options, write_elmo_files
from tests.support.oracle import Oracle

__all__ = ["SIZES", "VOCABULARY", "oracle_scores", "write_language_model", "write_softmax_files"]

VOCABULARY = ["</S>", "<S>", "the", "a", "rain", "<UNK>", "sun", "falls", "caf\u00e9", ".", "hills"]
SIZES = {"filters": [(1, 16), (2, 16)], "projection_dim": 16, "cell_size": 32}
"""Sizes for which there are kernels."""


def write_language_model(folder: Path, seed: int = 3, projection_dim: int = 16) -> Path:
    """Writes a random biLM with its softmax and vocabulary, as `elmo-export` names them."""
    options = elmo_options(**{**SIZES, "projection_dim": projection_dim})
    write_elmo_files(folder, options, seed=seed)
    write_softmax_files(folder, VOCABULARY, projection_dim, seed)
    return folder


def write_softmax_files(folder: Path, words: Sequence[str], size: int, seed: int = 0) -> None:
    """Writes a random softmax and its vocabulary."""
    random = numpy.random.RandomState(seed)
    with h5py.File(folder / "softmax.hdf5", "w") as file:
        file["softmax/W"] = random.normal(0.0, 1.5 * size**-0.5, (len(words), size)).astype("f4")
        file["softmax/b"] = random.normal(0.0, 0.5, len(words)).astype("f4")
    (folder / "vocabulary.txt").write_text("\n".join(words) + "\n", encoding="utf-8")


def oracle_scores(folder: Path, sentence: Sequence[str]) -> numpy.ndarray:
    """
    Returns the scores of a sentence from a state of zeros, shape (2, tokens + 1, 2).

    For each direction they are the log probabilities and ranks of the tokens, then those of the
    boundary.
    """
    words: List[str] = (folder / "vocabulary.txt").read_text(encoding="utf-8").split("\n")[:-1]
    with h5py.File(folder / "softmax.hdf5", "r") as file:
        weight, bias = (file["softmax"][name][()].astype("float64") for name in ("W", "b"))
    oracle = Oracle(str(folder / "options.json"), str(folder / "weights.hdf5"))
    top = oracle.sentence_layers(list(sentence), {})[0][-1]
    size = top.shape[1] // 2
    tokens = ["<S>", *sentence, "</S>"]
    rows: List[List[List[float]]] = [[], []]
    for at in range(1, len(tokens)):
        rows[0].append(_prediction(weight @ top[at - 1, :size] + bias, words, tokens[at]))
    for at in [*range(1, len(tokens) - 1), 0]:
        rows[1].append(_prediction(weight @ top[at + 1, size:] + bias, words, tokens[at]))
    return numpy.array(rows)


def _prediction(logits: numpy.ndarray, words: List[str], token: str) -> List[float]:
    logit = logits[words.index(token if token in words else "<UNK>")]
    total = numpy.log(numpy.exp(logits - logits.max()).sum()) + logits.max()
    return [logit - total, 1 + int((logits > logit).sum())]
