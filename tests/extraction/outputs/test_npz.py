"""NumPy's zip files."""

import zipfile
from pathlib import Path
from typing import Any

import numpy
import pytest
from allennlp.common.checks import ConfigurationError

from tests.extraction.outputs.corpora import make_corpus, write


@pytest.mark.parametrize("key", ["", "a/b", "../a", "ü", " ", "x" * 65_531])
def test_any_other_key_is_a_name(tmp_path: Path, key: str) -> None:
    """NumPy finds the array under it, and the checksums are right."""
    corpus = make_corpus(2)
    corpus.sentences[1] = corpus.sentences[1]._replace(key=key)
    write(tmp_path / "vectors.npz", corpus)
    with numpy.load(tmp_path / "vectors.npz") as file:
        assert (file[key] == corpus.vectors[1]).all()
    with zipfile.ZipFile(tmp_path / "vectors.npz") as file:
        assert file.testzip() is None


@pytest.mark.parametrize("key", ["0", "0.npy", "a\0b", "\ud800", "x" * 65_532])
def test_a_key_that_cannot_be_is_an_error(tmp_path: Path, key: str) -> None:
    """Two arrays of a name, or a name that a zip file cannot hold."""
    corpus = make_corpus(2)
    corpus.sentences[1] = corpus.sentences[1]._replace(key=key)
    with pytest.raises(ConfigurationError, match="Number the sentences"):
        write(tmp_path / "vectors.npz", corpus)


def test_keys_of_one_hash_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The names in the file decide."""

    def one_hash(_: Any) -> int:
        return 1

    monkeypatch.setattr("allennlp_elmo_plugin.extraction.outputs.npz.hash", one_hash, raising=False)
    corpus = make_corpus(6)
    write(tmp_path / "vectors.npz", corpus)
    with numpy.load(tmp_path / "vectors.npz") as file:
        assert file.files == [sentence.key for sentence in corpus.sentences]


def test_equal_vectors_are_equal_files(tmp_path: Path) -> None:
    """Nothing in the file depends on the time or on the commits."""
    for name, commit_every in (("a.npz", 1), ("b.npz", 5)):
        write(tmp_path / name, make_corpus(9), commit_every)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
