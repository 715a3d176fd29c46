"""
Runs simple_elmo on TensorFlow, to make the numbers that `tests/compat/test_simple_elmo.py` expects.

TensorFlow is no dependency of the tests, so the numbers lie in `tests/fixtures`. To make them
anew, write the models with the plugin's Python, and run simple_elmo with one that has
tensorflow-cpu 2.21, tf-keras and simple_elmo 0.9.2:

    python -m tests.tools.simple_elmo_models /tmp/models
    TF_USE_LEGACY_KERAS=1 PYTHON_WITH_TENSORFLOW tests/tools/simple_elmo_vectors.py /tmp/models
"""

import sys
from pathlib import Path
from typing import Dict, List

import numpy

__all__ = ["BATCH_SIZE", "FIXTURES", "LAYERS", "SENTENCES", "WORDS", "fixture_path"]

FIXTURES = Path(__file__).parent.parent / "fixtures"
LAYERS = ("average", "top", "all")
BATCH_SIZE = 3
SENTENCES = [
    ["The", "rain", "falls", "on", "Lisbon", "."],
    ["a"],
    ["caf\u00e9", "\u96e8", "over-" * 12],
    ["rain"] * 9,
    ["the", "end"],
]
"""They make two batches, of which the second one is smaller."""
WORDS = [["rain"], ["caf\u00e9"], ["the"], ["."]]


def fixture_path(name: str) -> Path:
    """Returns the path of the numbers of a model."""
    return FIXTURES / f"simple_elmo_{name}.npz"


def compute(model: Path) -> Dict[str, numpy.ndarray]:
    """Returns what simple_elmo computes of a model, by the names of the calls."""
    import tensorflow
    from simple_elmo import ElmoModel

    tensorflow.compat.v1.reset_default_graph()
    elmo = ElmoModel()
    elmo.load(str(model), max_batch_size=BATCH_SIZE)
    found: Dict[str, numpy.ndarray] = {}
    for layers in LAYERS:
        for warmup in (False, True):
            vectors = elmo.get_elmo_vectors(SENTENCES, warmup=warmup, layers=layers)
            # It computes in float32, and returns float64.
            found[f"vectors {layers} {warmup}"] = vectors.astype("float32")
        mean = elmo.get_elmo_vector_average(SENTENCES, warmup=False, layers=layers)
        found[f"mean {layers}"] = mean.astype("float32")
        words = elmo.get_elmo_vector_average(WORDS, warmup=False, layers=layers)
        found[f"words {layers}"] = words.astype("float32")
    return found


def main(arguments: List[str]) -> None:
    """Writes the numbers of each zip in a folder."""
    for model in sorted(Path(arguments[0]).glob("*.zip")):
        numpy.savez_compressed(fixture_path(model.stem), **compute(model))


if __name__ == "__main__":
    main(sys.argv[1:])
