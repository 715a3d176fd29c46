"""NumPy's arrays with ids beside them."""

import json
import os
from pathlib import Path

import numpy
import pytest

from allennlp_elmo_plugin.extraction.outputs.npy import NpyOutput
from tests.extraction.outputs.corpora import make_corpus, write


def test_tokens_of_all_sentences_follow_one_another(tmp_path: Path) -> None:
    """The array has the tokens first, and the file of ids says how many each sentence has."""
    corpus = make_corpus(6)
    write(tmp_path / "vectors.npy", corpus)
    expected = numpy.concatenate([vectors.transpose(1, 0, 2) for vectors in corpus.vectors])
    assert (numpy.load(tmp_path / "vectors.npy", mmap_mode="r") == expected).all()
    assert json.loads((tmp_path / "vectors.json").read_text()) == {
        "ids": ["0", "1", "2", "3", "4", "5"],
        "num_tokens": [vectors.shape[1] for vectors in corpus.vectors],
    }


def test_pooled_ids_are_a_list(tmp_path: Path) -> None:
    """Row i belongs to id i."""
    corpus = make_corpus(3, is_pooled=True)
    write(tmp_path / "vectors.npy", corpus)
    assert (numpy.load(tmp_path / "vectors.npy") == numpy.stack(corpus.vectors)).all()
    assert json.loads((tmp_path / "vectors.json").read_text()) == ["0", "1", "2"]


def test_an_old_array_never_stands_beside_new_ids(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes first, and the new one comes last."""
    write(tmp_path / "vectors.npy", make_corpus(3))
    for path in (tmp_path / "vectors.npy.partial").iterdir():
        path.unlink()
    replace, seen = os.replace, []

    def noted_replace(source: Path, target: Path) -> None:
        replace(source, target)
        seen.append((Path(target).name, (tmp_path / "vectors.npy").exists()))

    monkeypatch.setattr(os, "replace", noted_replace)
    write(tmp_path / "vectors.npy", make_corpus(4))
    assert seen[-2:] == [("vectors.json", False), ("vectors.npy", True)]


def test_both_files_are_named(tmp_path: Path) -> None:
    """A caller can ask which files will be replaced."""
    paths = NpyOutput.paths(tmp_path / "vectors.npy")
    assert [path.name for path in paths] == ["vectors.json", "vectors.npy"]
