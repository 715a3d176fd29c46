"""
Runs ELMoForManyLangs itself, to make the numbers that the tests of such biLMs expect.

The numbers lie in `tests/fixtures`. To make them anew, use a Python 3.8 or later that has torch,
h5py, elmoformanylangs 0.0.4.post2 and overrides 3.1.0 (with later ones it cannot be imported), in
the folder of the repository:

    OTHER_PYTHON -m tests.tools.many_langs_vectors
"""

import random
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Dict

import numpy

from tests.support.many_langs_files import CASES, ManyLangsCase, write_many_langs

__all__ = ["BATCH_SIZE", "SENTENCES", "fixture_path"]

BATCH_SIZE = 3
SENTENCES = [
    ["the", "rain", "in", "caf\u00e9", "\u96e8", "."],
    # Unknown words, unknown characters, and words that are known only when they are cut.
    ["Rain", "\u0416\u96e8x", "\U0001f327", "overlongwordsandmore", "overlongwo", "z" * 60],
    # Texts that mean something to the program, and unusual ones.
    ["<bos>", "<eos>", "<pad>", "<oov>", "<bow>", "", "\u3000", "a b"],
    ["the"],
    [],
    ["rain", "the", "rain"],
    ["caf\u00e9", "cafe\u0301", "the", "\u96e8\u96e8"],
]
"""They make three batches, of which the last one is smaller."""


def fixture_path(name: str) -> Path:
    """Returns the path of the numbers of a biLM."""
    return Path(__file__).parent.parent / "fixtures" / f"many_langs_{name}.npz"


def compute(case: ManyLangsCase) -> Dict[str, numpy.ndarray]:
    """
    Returns all layers of each sentence.

    `alone {i}` are those of a new program that reads sentence i alone. `first {i}` and `second {i}`
    are those of one that reads all sentences twice.
    """
    from elmoformanylangs import Embedder

    found: Dict[str, numpy.ndarray] = {}
    with TemporaryDirectory() as folder:
        write_many_langs(Path(folder), case)
        for i, sentence in enumerate(SENTENCES):
            (found[f"alone {i}"],) = Embedder(folder).sents2elmo([sentence], -2)
        # It runs the batches in random order.
        random.shuffle = lambda batches: None  # type: ignore[assignment]
        embedder = Embedder(folder, batch_size=BATCH_SIZE)
        for turn in ("first", "second"):
            for i, layers in enumerate(embedder.sents2elmo(SENTENCES, -2)):
                found[f"{turn} {i}"] = layers
    return found


def main() -> None:
    """Writes the numbers of each biLM."""
    for name, case in CASES.items():
        numpy.savez_compressed(fixture_path(name), **compute(case))


if __name__ == "__main__":
    main()
