"""Archives that were trained with the built-in's parameters alone need no plugin."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, List

import pytest
from allennlp.commands.evaluate import evaluate_from_archive
from allennlp.modules import TokenEmbedder

from allennlp_elmo_plugin import ElmoTokenEmbedder
from tests.support.tagger_experiment import BUILTIN_EMBEDDERS, read_probabilities, tagger, train

TOLERANCE = 1e-5

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


@pytest.mark.parametrize("name", list(BUILTIN_EMBEDDERS))
def test_an_archive_is_evaluated_the_same_without_the_plugin(tmp_path: Path, name: str) -> None:
    """Without the plugin the archive loads, and every metric and prediction is the same."""
    assert TokenEmbedder.by_name("elmo_token_embedder") is ElmoTokenEmbedder
    train(tagger(tmp_path, **BUILTIN_EMBEDDERS[name]), tmp_path / "run")
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
    ours, theirs = (tmp_path / f"{side}.jsonl" for side in ("found", "expected"))
    assert _tags(ours) == _tags(theirs)
    assert read_probabilities(ours) == pytest.approx(read_probabilities(theirs), abs=TOLERANCE)


def _tags(predictions: Path) -> List[Any]:
    batches = [json.loads(line)["tags"] for line in predictions.read_text().splitlines()]
    assert len(batches) == 5
    return batches
