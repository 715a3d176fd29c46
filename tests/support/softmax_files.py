"""Small language models with random weights: a biLM, its softmax and its vocabulary."""

from pathlib import Path
from typing import Any, List, NamedTuple, Sequence

import h5py
import numpy

from tests.support.elmo_files import elmo_options, write_elmo_files
from tests.support.oracle import Oracle

__all__ = ["SOFTMAX_WORDS", "SoftmaxOracle", "write_softmax_files"]

SOFTMAX_WORDS = [
    *("</S>", "<S>", "<UNK>", "the", "a", "rain", "sun", "falls", "shines", "on", "over", "."),
    *("hills", "caf\u00e9", "Lisbon", "old", "cold", "warm", "slowly", "and"),
]
"""Words of the vocabulary, in the order of the softmax."""


class SoftmaxOracle(NamedTuple):
    """
    A language model in plain NumPy, which reads the files itself.

    # Parameters

    bilm : `Oracle`
        The biLM.
    weight, bias : `numpy.ndarray`
        The softmax, float64.
    """

    bilm: Oracle
    weight: numpy.ndarray
    bias: numpy.ndarray

    def distributions(self, tokens: Sequence[str]) -> numpy.ndarray:
        """
        Returns all probabilities in the place of each token, from states of zeros.

        # Returns

        `numpy.ndarray`
            Shape (forward | backward | combined, tokens, words), float64.
        """
        top = self.bilm.sentence_layers(tokens, {})[0][-1]
        dim = self.bilm.dim
        by_forward = _softmax(top[:-2, :dim] @ self.weight.T + self.bias)
        by_backward = _softmax(top[2:, dim:] @ self.weight.T + self.bias)
        products = by_forward * by_backward
        combined = products / products.sum(axis=-1, keepdims=True)
        return numpy.stack([by_forward, by_backward, combined])


def write_softmax_files(
    folder: Path, words: Sequence[str] = SOFTMAX_WORDS, seed: int = 0, **options: Any
) -> SoftmaxOracle:
    """
    Writes `options.json`, `weights.hdf5`, `softmax.hdf5` and `vocabulary.txt` into a folder.

    # Parameters

    folder : `Path`
        The folder, which is created if needed.
    words : `Sequence[str]`
        The vocabulary.
    seed : `int`
        Seed of the weights.
    **options
        Arguments of `elmo_options`.
    """
    sizes = {"filters": [(1, 4), (2, 12)], "projection_dim": 16, "cell_size": 32}
    content = elmo_options(**{**sizes, **options})
    files = write_elmo_files(folder, content, seed=seed)
    random = numpy.random.RandomState(seed + 1)
    size = content["lstm"]["projection_dim"]
    weight = random.normal(0.0, 1.0, (len(words), size)).astype("float32")
    bias = random.normal(0.0, 1.0, len(words)).astype("float32")
    with h5py.File(folder / "softmax.hdf5", "w") as file:
        file["softmax/W"], file["softmax/b"] = weight, bias
    lines: List[str] = [f"{word}\n" for word in words]
    (folder / "vocabulary.txt").write_text("".join(lines), encoding="utf-8")
    oracle = Oracle(files.options_file, files.weight_file)
    return SoftmaxOracle(oracle, weight.astype("float64"), bias.astype("float64"))


def _softmax(logits: numpy.ndarray) -> numpy.ndarray:
    exponentials = numpy.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)
