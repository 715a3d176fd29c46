"""
Runs simple_elmo on TensorFlow, to make the numbers that the tests of `compat` expect.

simple_elmo has bilm-tf's functions too, which bilm-tf itself has for TensorFlow 1 alone.
TensorFlow is no dependency of the tests, so the numbers lie in `tests/fixtures`. To make them anew,
write the models with the plugin's Python, and run simple_elmo with one that has
tensorflow-cpu 2.21, tf-keras and simple_elmo 0.9.2:

    python -m tests.tools.simple_elmo_models /tmp/models
    TF_USE_LEGACY_KERAS=1 PYTHON_WITH_TENSORFLOW tests/tools/simple_elmo_vectors.py /tmp/models
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Dict, List
from zipfile import ZipFile

import numpy

__all__ = [
    "BATCH_SIZE",
    "LAYERS",
    "SENTENCES",
    "VOCABULARY",
    "WORDS",
    "fixture_path",
    "write_texts",
]

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
VOCABULARY = ["<S>", "</S>", "<UNK>", "rain", "caf\u00e9", "over-" * 12]
WORDS = [["rain"], ["caf\u00e9"], ["the"], ["."]]


def fixture_path(name: str) -> Path:
    """Returns the path of the numbers of a model."""
    return FIXTURES / f"simple_elmo_{name}.npz"


def write_texts(folder: Path) -> None:
    """Writes the sentences and the vocabulary as files."""
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    lines = map(" ".join, SENTENCES)
    (folder / "in.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def dump(model: Path) -> Dict[str, numpy.ndarray]:
    """Returns what bilm-tf's functions write about a model."""
    import h5py
    import tensorflow
    from simple_elmo.model import dump_bilm_embeddings, dump_token_embeddings

    found: Dict[str, numpy.ndarray] = {}
    with TemporaryDirectory() as name, ZipFile(model) as archive:
        folder = Path(name)
        archive.extractall(folder)
        write_texts(folder)
        texts = folder / "vocab.txt", folder / "in.txt"
        files, output = (folder / "options.json", folder / "model.hdf5"), folder / "out.hdf5"
        for dump_file, paths in ((dump_token_embeddings, texts[:1]), (dump_bilm_embeddings, texts)):
            tensorflow.compat.v1.reset_default_graph()
            dump_file(*map(str, (*paths, *files, output)))
            with h5py.File(output, "r") as file:
                found.update({f"dump {key}": file[key][()] for key in file})
    return found


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
        numpy.savez_compressed(fixture_path(model.stem), **compute(model), **dump(model))


if __name__ == "__main__":
    main(sys.argv[1:])
