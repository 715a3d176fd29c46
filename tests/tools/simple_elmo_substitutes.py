"""
Runs `get_elmo_substitutes` of simple_elmo on TensorFlow, to make what the tests of `compat` expect.

It runs the checkpoint `tests/fixtures/tensorflow/trained`, which has a softmax. To make the numbers
anew, with a Python that has tensorflow-cpu 2.21, tf-keras and simple_elmo 0.9.2:

    TF_USE_LEGACY_KERAS=1 PYTHON_WITH_TENSORFLOW tests/tools/simple_elmo_substitutes.py
"""

import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

__all__ = ["BATCH_SIZE", "SUBSTITUTES", "TEXTS", "WORDS", "write_model"]

FIXTURES = Path(__file__).parent.parent / "fixtures"
SUBSTITUTES = FIXTURES / "simple_elmo_substitutes.json"
WORDS = ["<S>", "</S>", "<UNK>", "the", "rain", "caf\u00e9", "."]
"""The vocabulary of the checkpoint."""
BATCH_SIZE = 2
TEXTS = ["the rain falls .", "cold rain falls .", "rain", "caf\u00e9"]
"""Sentences in pairs of one length, since simple_elmo returns no others completely."""


def write_model(folder: Path) -> None:
    """Writes the checkpoint with its vocabulary into a new folder."""
    shutil.copytree(FIXTURES / "tensorflow" / "trained", folder)
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")


def compute() -> Any:
    """Returns the logits of all words in the place of each token, as simple_elmo returns them."""
    from simple_elmo import ElmoModel

    with TemporaryDirectory() as name:
        folder = Path(name) / "trained"
        write_model(folder)
        options_file = folder / "options.json"
        options = json.loads(options_file.read_text())
        # simple_elmo builds the graph as for a training.
        options_file.write_text(json.dumps({**options, "dropout": 0.1}))
        elmo = ElmoModel()
        elmo.load(str(folder), max_batch_size=BATCH_SIZE, full=True)
        return elmo.get_elmo_substitutes(TEXTS, topn=len(WORDS), nodelimiters=False)


if __name__ == "__main__":
    SUBSTITUTES.write_text(json.dumps(compute(), indent=1) + "\n", encoding="utf-8")
