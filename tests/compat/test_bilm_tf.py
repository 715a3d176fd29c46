"""Functions of bilm-tf, beside their numbers on TensorFlow and the oracle."""

from pathlib import Path
from typing import List

import h5py
import numpy
import pytest
from allennlp.common.checks import ConfigurationError
from allennlp.modules.elmo import batch_to_ids as built_in_batch_to_ids

from allennlp_elmo_plugin.compat import bilm_tf
from allennlp_elmo_plugin.compat.bilm_tf import (
    Batcher,
    dump_bilm_embeddings,
    dump_token_embeddings,
)
from tests.support.elmo_command import read_hdf5
from tests.support.elmo_files import ElmoFiles, write_elmo_files
from tests.support.oracle import Oracle, carry_states
from tests.tools.simple_elmo_models import MODELS, write_models
from tests.tools.simple_elmo_vectors import fixture_path, write_texts

LINES = ["The rain falls .", "", "caf\u00e9 \u96e8 rain", "rain " * 5]
WORDS = ["<S>", "the", "", "</S>", "caf\u00e9", "the", "over" * 20]


@pytest.fixture(name="files")
def _files(tmp_path: Path) -> ElmoFiles:
    return write_elmo_files(tmp_path / "elmo", seed=8)


def _layers(files: ElmoFiles, sentences: List[List[str]]) -> List[numpy.ndarray]:
    """The layers of sentences that are run one by one, each from the state of the one before."""
    oracle, states, expected = Oracle(*files), [], []
    for sentence in sentences:
        result = oracle.batch_layers([sentence], states)
        states = carry_states(states, result.states)
        expected.append(result.layers[:, 0, 1:-1])
    return expected


def test_a_dump_of_sentences_has_the_layers_of_bilm_tf(tmp_path: Path, files: ElmoFiles) -> None:
    """The number of a line names its dataset, and the state is carried from line to line."""
    (tmp_path / "in.txt").write_text("\n".join(LINES) + "\n", encoding="utf-8")
    dump_bilm_embeddings("no such file", tmp_path / "in.txt", *files, tmp_path / "out.hdf5")
    found = read_hdf5(tmp_path / "out.hdf5")
    assert sorted(found) == ["0", "1", "2", "3"]
    for key, expected in enumerate(_layers(files, [line.split() for line in LINES])):
        assert found[str(key)].shape == expected.shape and found[str(key)].dtype == "float32"
        numpy.testing.assert_allclose(found[str(key)], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_files_are_those_of_bilm_tf(tmp_path: Path, name: str) -> None:
    """They have the same datasets, with the numbers of TensorFlow."""
    write_texts(tmp_path)
    write_models(tmp_path)
    paths = tmp_path / name / "options.json", tmp_path / name / "weights.hdf5"
    dump_token_embeddings(tmp_path / "vocab.txt", *paths, tmp_path / "words.hdf5")
    dump_bilm_embeddings(tmp_path / "vocab.txt", tmp_path / "in.txt", *paths, tmp_path / "out.h5")
    found = {**read_hdf5(tmp_path / "words.hdf5"), **read_hdf5(tmp_path / "out.h5")}
    with numpy.load(fixture_path(name)) as file:
        expected = {key[5:]: file[key] for key in file if key.startswith("dump ")}
    assert found.keys() == expected.keys()
    for key, array in expected.items():
        assert (found[key].shape, found[key].dtype) == (array.shape, array.dtype)
        numpy.testing.assert_allclose(found[key], array, rtol=0, atol=1e-5)


def test_another_initial_state_makes_lines_independent(tmp_path: Path, files: ElmoFiles) -> None:
    """With `zero`, equal lines have equal vectors."""
    (tmp_path / "in.txt").write_text("a b\nc\na b\n", encoding="utf-8")
    paths = tmp_path / "in.txt", *files, tmp_path / "out.hdf5"
    dump_bilm_embeddings("", *paths, initial_state="zero")
    found = read_hdf5(tmp_path / "out.hdf5")
    numpy.testing.assert_allclose(found["0"], found["2"], rtol=0, atol=1e-6)


def test_a_dump_of_words_has_the_output_of_the_character_cnn(
    tmp_path: Path, files: ElmoFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row i belongs to line i, boundaries and repeated words included, whatever the portions."""
    (tmp_path / "vocab.txt").write_text("\n".join(["!!!MAXTERMID", *WORDS]) + "\n", "utf-8")
    expected = Oracle(*files).batch_layers([WORDS]).layers[0, 0, 1:-1, :8]
    for size in (1024, 2):
        monkeypatch.setattr(bilm_tf, "NUM_WORDS", size)
        dump_token_embeddings(tmp_path / "vocab.txt", *files, tmp_path / "words.hdf5")
        with h5py.File(tmp_path / "words.hdf5", "r") as file:
            assert list(file) == ["embedding"] and file["embedding"].dtype == "float32"
            numpy.testing.assert_allclose(file["embedding"][()], expected, rtol=0, atol=1e-5)


def test_a_dump_that_fails_leaves_nothing(tmp_path: Path, files: ElmoFiles) -> None:
    """A file that is missing is an error before anything is written."""
    names = sorted(tmp_path.iterdir())
    for dump in (
        lambda: dump_token_embeddings(tmp_path / "no.txt", *files, tmp_path / "out"),
        lambda: dump_bilm_embeddings("", tmp_path / "no.txt", *files, tmp_path / "out"),
    ):
        with pytest.raises(ConfigurationError, match=r"no\.txt"):
            dump()
    assert sorted(tmp_path.iterdir()) == names


def test_a_batcher_spells_like_bilm_tf() -> None:
    """Ids are those of AllenNLP's function, with boundaries around each sentence."""
    sentences = [["The", "caf\u00e9"], [], ["over" * 20]]
    found = Batcher("vocab.txt", 50).batch_sentences(sentences)
    bounded = [["<S>", *sentence, "</S>"] for sentence in sentences]
    assert found.dtype == numpy.int64
    assert (found == built_in_batch_to_ids(bounded).numpy()).all()
    assert found[0, 0, :3].tolist() == [259, 257, 260]
    assert Batcher("vocab.txt", 8).batch_sentences(sentences).shape == (3, 4, 8)
