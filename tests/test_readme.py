"""What the README says, run."""

import inspect
import re
from pathlib import Path
from typing import Any, List

import pytest
from allennlp.common import Params
from allennlp.data import DatasetReader, Vocabulary
from allennlp.models import Model

from allennlp_elmo_plugin import (
    BidirectionalLm,
    BilmCorpusReader,
    BilmVocabulary,
    ElmoCharactersIndexer,
    ElmoTokenEmbedder,
)
from tests.support.paths import REPOSITORY

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def _blocks(language: str) -> List[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def test_its_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example writes a biLM and embeds with it."""
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for block in _blocks("python"):
        exec(block, names)
    assert isinstance(names["embedder"], ElmoTokenEmbedder)
    assert (tmp_path / "elmo" / "weights.hdf5").is_file()


def test_its_config_builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example's reader and model can be built, anywhere."""
    monkeypatch.chdir(tmp_path)
    (config,) = _blocks("jsonnet")
    (tmp_path / "tagger.jsonnet").write_text(config, encoding="utf-8")
    params = Params.from_file("tagger.jsonnet")
    DatasetReader.from_params(params["dataset_reader"])
    vocab = Vocabulary(tokens_to_add={"labels": ["NOUN", "VERB"]})
    assert isinstance(Model.from_params(params["model"], vocab=vocab), Model)


@pytest.mark.parametrize(
    "documented",
    [
        ElmoTokenEmbedder,
        ElmoCharactersIndexer,
        BilmCorpusReader,
        BidirectionalLm.from_files,
        BilmVocabulary.from_vocabulary_file,
    ],
)
def test_its_tables_name_every_option(documented: Any) -> None:
    """No parameter of what a config builds is missing from the tables."""
    first_cells = re.findall(r"^\| (`[^|]*) \|", README, re.MULTILINE)
    named = set(re.findall(r"`(\w+)`", " ".join(first_cells)))
    options = set(inspect.signature(documented).parameters)
    # Not one that a config gives: AllenNLP hands it on.
    assert options - {"serialization_dir", "vocab", "kwargs"} <= named
