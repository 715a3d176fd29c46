"""Archives that were trained with the built-in's parameters alone need no plugin."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict

import pytest
from allennlp.commands.evaluate import evaluate_from_archive
from allennlp.modules import TokenEmbedder

from allennlp_elmo_plugin import ElmoTokenEmbedder
from tests.support.tagger_experiment import tagger, train

TOLERANCE = 1e-5

EMBEDDERS: Dict[str, Dict[str, Any]] = {
    "frozen": {},
    "trained, projected and normalized": {
        "requires_grad": True,
        "projection_dim": 6,
        "do_layer_norm": True,
    },
    "with a word list": {"vocab_to_cache": ["@@PADDING@@", "the", "rain"]},
    "fixed mix": {"scalar_mix_parameters": [0.5, 1.0, -1.0]},
}

# Does what `allennlp evaluate` does, except that it imports no plugins of AllenNLP's own.
EVALUATE = """
import sys
from allennlp.commands.evaluate import evaluate_from_archive
from allennlp.common import plugins

plugins.DEFAULT_PLUGINS = ()
plugins.import_plugins()
archive, data, metrics, predictions = sys.argv[1:]
evaluate_from_archive(archive, data, metrics, predictions, batch_size=2)
assert not [name for name in sys.modules if name.startswith("allennlp_elmo_plugin")]
"""


def evaluate_without_plugin(folder: Path) -> subprocess.CompletedProcess:
    """Evaluates the archive in a process that finds no list of plugins to load."""
    files = ["run/model.tar.gz", "dev.txt", "expected.json", "expected.jsonl"]
    # The user's own list of plugins is in the home folder.
    environment = {**os.environ, "HOME": str(folder / "home"), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-c", EVALUATE, *files],
        cwd=str(folder),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )


@pytest.mark.parametrize("name", list(EMBEDDERS))
def test_an_archive_is_evaluated_the_same_without_the_plugin(tmp_path: Path, name: str) -> None:
    """Without the plugin the archive loads, and every metric and prediction is the same."""
    assert TokenEmbedder.by_name("elmo_token_embedder") is ElmoTokenEmbedder
    train(tagger(tmp_path, **EMBEDDERS[name]), tmp_path / "run")
    found = evaluate_from_archive(
        str(tmp_path / "run" / "model.tar.gz"),
        str(tmp_path / "dev.txt"),
        predictions_output_file=str(tmp_path / "found.jsonl"),
        batch_size=2,
    )
    finished = evaluate_without_plugin(tmp_path)
    assert finished.returncode == 0, finished.stdout
    expected = json.loads((tmp_path / "expected.json").read_text())
    assert found == pytest.approx(expected, abs=TOLERANCE)
    assert expected["loss"] > 0
    ours, theirs = (
        [json.loads(line) for line in (tmp_path / f"{side}.jsonl").read_text().splitlines()]
        for side in ("found", "expected")
    )
    assert len(ours) == len(theirs) == 5
    for our_batch, their_batch in zip(ours, theirs):
        assert our_batch["tags"] == their_batch["tags"]
        for our_words, their_words in zip(
            our_batch["class_probabilities"], their_batch["class_probabilities"]
        ):
            for our_word, their_word in zip(our_words, their_words):
                assert our_word == pytest.approx(their_word, abs=TOLERANCE)
