"""HDF5 files in the layout of AllenNLP 0.9."""

import json
from pathlib import Path

import h5py
import numpy
import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.extraction.outputs.hdf5 import Hdf5Output
from allennlp_elmo_plugin.io.journaled_file import JournaledFile
from tests.extraction.outputs.corpora import Corpus, make_corpus, unfinished, write


def _with_keys(*keys: str) -> Corpus:
    corpus = make_corpus(len(keys))
    sentences = [each._replace(key=key) for each, key in zip(corpus.sentences, keys)]
    return corpus._replace(sentences=sentences)


def test_users_code_reads_the_file(tmp_path: Path) -> None:
    """The table of sentences is the only other dataset; of equal texts the last counts."""
    corpus = make_corpus(7)
    texts = ["a b", 'c "d"', "a b", "ü", "", "c", "ü"]
    corpus.sentences[:] = [each._replace(text=text) for each, text in zip(corpus.sentences, texts)]
    write(tmp_path / "vectors.hdf5", corpus, has_sentence_index=True)
    with h5py.File(tmp_path / "vectors.hdf5", "r") as file:
        expected = {text: str(number) for number, text in enumerate(texts)}
        assert json.loads(file.get("sentence_to_index")[0]) == expected
        assert file["sentence_to_index"].shape == (1,)
        assert h5py.check_string_dtype(file["sentence_to_index"].dtype).length is None
        assert len(file.keys()) - 1 == len(corpus.sentences)
        assert file["3"].dtype == numpy.dtype("<f4")


def test_the_index_of_no_sentences_is_empty(tmp_path: Path) -> None:
    """It is there."""
    write(tmp_path / "vectors.hdf5", make_corpus(0, is_pooled=True), has_sentence_index=True)
    with h5py.File(tmp_path / "vectors.hdf5", "r") as file:
        assert json.loads(file["sentence_to_index"][0]) == {}


def test_the_index_is_left_out(tmp_path: Path) -> None:
    """There are only sentences then, and one may have its name."""
    write(tmp_path / "vectors.hdf5", _with_keys("0", "sentence_to_index"))
    with h5py.File(tmp_path / "vectors.hdf5", "r") as file:
        assert sorted(file) == ["0", "sentence_to_index"]


def test_old_readers_open_the_file(tmp_path: Path) -> None:
    """Its format is the oldest, version 0 of the superblock."""
    write(tmp_path / "vectors.hdf5", make_corpus(3), has_sentence_index=True)
    assert (tmp_path / "vectors.hdf5").read_bytes()[:9] == b"\x89HDF\r\n\x1a\n\0"


@pytest.mark.parametrize("key", ["a", "a b", "a/b", "/a", "a//b/", "ü", "x" * 1000])
def test_a_key_is_a_path(tmp_path: Path, key: str) -> None:
    """Slashes make groups, and reading by the same key finds the dataset."""
    corpus = _with_keys("0", key)
    write(tmp_path / "vectors.hdf5", corpus)
    with h5py.File(tmp_path / "vectors.hdf5", "r") as file:
        assert (file[key][()] == corpus.vectors[1]).all()


@pytest.mark.parametrize("key", ["", ".", "/", "0", "0/a", "sentence_to_index", "a\0b", "\ud800"])
def test_a_key_that_cannot_be_is_an_error(tmp_path: Path, key: str) -> None:
    """The error names the key."""
    with pytest.raises(ConfigurationError, match="Number the sentences") as raised:
        write(tmp_path / "vectors.hdf5", _with_keys("0", key), has_sentence_index=True)
    assert repr(key) in raised.value.message


def test_memory_does_not_grow_with_the_corpus(tmp_path: Path) -> None:
    """The changes that wait for a commit are a small part of the file."""
    corpus = make_corpus(3000, is_pooled=True)
    path = unfinished(tmp_path / "vectors.hdf5")
    largest = 0
    with JournaledFile(path) as file, Hdf5Output(file, corpus.shape) as writer:
        for sentence, vectors in zip(corpus.sentences, corpus.vectors):
            writer.write(sentence, vectors)
            largest = max(largest, file.num_waiting_bytes)
            if writer.num_sentences % 500 == 0:
                writer.commit({})
    assert 0 < largest < path.stat().st_size / 4
