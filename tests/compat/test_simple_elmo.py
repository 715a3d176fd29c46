"""ElmoModel of simple_elmo, beside the numbers of simple_elmo on TensorFlow."""

import gzip
from pathlib import Path
from typing import Any, Dict
from zipfile import ZipFile

import numpy
import pytest
import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin import ElmoBilm
from allennlp_elmo_plugin.compat.convert import convert_model
from allennlp_elmo_plugin.compat.simple_elmo import ElmoModel
from tests.support.elmo_files import write_elmo_files
from tests.support.tensorflow_bundle import TENSORFLOW_DATA
from tests.tools.simple_elmo_models import MODELS, write_models
from tests.tools.simple_elmo_vectors import BATCH_SIZE, LAYERS, SENTENCES, WORDS, fixture_path

WORDS_OF_MODEL = ["<S>", "</S>", "<UNK>", "the", "caf\u00e9"]
VOCABULARY = "\n".join(WORDS_OF_MODEL) + "\n"


@pytest.fixture(scope="module", name="folder")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zips that simple_elmo has read."""
    folder = tmp_path_factory.mktemp("models")
    write_models(folder)
    return folder


@pytest.fixture(scope="module", name="name", params=MODELS)
def _name(request: Any) -> Any:
    return request.param


@pytest.fixture(scope="module", name="elmo")
def _elmo(folder: Path, name: str) -> ElmoModel:
    elmo = ElmoModel()
    assert elmo.load(str(folder / f"{name}.zip"), BATCH_SIZE) == "The model is now loaded."
    return elmo


@pytest.fixture(scope="module", name="expected")
def _expected(name: str) -> Dict[str, numpy.ndarray]:
    with numpy.load(fixture_path(name)) as file:
        return dict(file)


@pytest.mark.parametrize("layers", LAYERS)
@pytest.mark.parametrize("warmup", [False, True])
def test_vectors_are_those_of_simple_elmo(
    elmo: ElmoModel, expected: Dict[str, numpy.ndarray], layers: str, warmup: bool
) -> None:
    """Behind the end of a sentence there are zeros, though simple_elmo has none in some batches."""
    found = elmo.get_elmo_vectors(SENTENCES, warmup=warmup, layers=layers)
    theirs = expected[f"vectors {layers} {warmup}"]
    assert found.shape == theirs.shape and found.dtype == numpy.float64
    for one, other, tokens in zip(found, theirs, SENTENCES):
        assert abs(one - other)[..., : len(tokens), :].max() < 1e-5
        assert not one[..., len(tokens) :, :].any()


@pytest.mark.parametrize("warmup", [False, True])
@pytest.mark.parametrize("layers", LAYERS)
def test_vectors_of_a_checkpoint_are_those_of_simple_elmo(layers: str, warmup: bool) -> None:
    """TensorFlow wrote the checkpoint, and simple_elmo ran the same model from a zip."""
    elmo = ElmoModel()
    elmo.load(TENSORFLOW_DATA / "simple_elmo", BATCH_SIZE)
    found = elmo.get_elmo_vectors(SENTENCES, warmup=warmup, layers=layers)
    with numpy.load(fixture_path("plain")) as expected:
        theirs = expected[f"vectors {layers} {warmup}"]
    for one, other, tokens in zip(found, theirs, SENTENCES):
        assert abs(one - other)[..., : len(tokens), :].max() < 1e-5


def test_the_checkpoint_is_the_model_of_the_zip(folder: Path) -> None:
    """Its arrays have the same bits."""
    found, expected = (
        ElmoBilm.from_files(model, model).state_dict()
        for model in (TENSORFLOW_DATA / "simple_elmo", folder / "plain")
    )
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("layers", LAYERS)
def test_means_of_words_are_those_of_simple_elmo(
    elmo: ElmoModel, expected: Dict[str, numpy.ndarray], layers: str
) -> None:
    """Sentences of one token show none of its faults."""
    found = elmo.get_elmo_vector_average(WORDS, warmup=False, layers=layers)
    assert found.dtype == numpy.float64
    numpy.testing.assert_allclose(found, expected[f"words {layers}"], rtol=0, atol=1e-5)


def test_means_are_those_of_simple_elmo_where_it_has_no_fault(
    elmo: ElmoModel, expected: Dict[str, numpy.ndarray]
) -> None:
    """The top layer is 0 behind the end; the longest sentence of a batch has nothing behind it."""
    found = elmo.get_elmo_vector_average(SENTENCES, warmup=False, layers="top")
    numpy.testing.assert_allclose(found, expected["mean top"], rtol=0, atol=1e-5)
    found = elmo.get_elmo_vector_average(SENTENCES, warmup=False)
    is_close = numpy.isclose(found, expected["mean average"], rtol=0, atol=1e-5).all(axis=1)
    assert is_close.tolist() == [True, False, False, True, False]


@pytest.mark.parametrize("layers", LAYERS)
def test_a_mean_is_the_normalized_mean_of_the_vectors(elmo: ElmoModel, layers: str) -> None:
    """It is divided by the length of all its layers together."""
    found = elmo.get_elmo_vector_average(SENTENCES, layers=layers)
    vectors = elmo.get_elmo_vectors(SENTENCES, layers=layers)
    for mean, each, tokens in zip(found, vectors, SENTENCES):
        expected = each[..., : len(tokens), :].mean(axis=-2)
        expected /= (expected**2).sum() ** 0.5
        numpy.testing.assert_allclose(mean, expected, rtol=0, atol=1e-6)


def test_the_attributes_are_those_of_the_model(elmo: ElmoModel, name: str) -> None:
    """They have the names of simple_elmo."""
    options = {"n_layers": 2, "max_characters": 50, **MODELS[name]}
    assert (elmo.vector_size, elmo.batch_size, elmo.vocab) == (16, BATCH_SIZE, None)
    assert elmo.n_layers == options["n_layers"] + 1
    assert elmo.max_chars == options["max_characters"]


def test_a_session_goes_on_from_the_last_state(folder: Path) -> None:
    """Without one, each call gives the same numbers."""
    elmo = ElmoModel()
    elmo.load(folder / "plain.zip", BATCH_SIZE)
    batches = SENTENCES[:BATCH_SIZE], SENTENCES[BATCH_SIZE:]
    expected = elmo.get_elmo_vectors(SENTENCES, warmup=False)[BATCH_SIZE:]
    elmo.get_elmo_vectors(batches[0], warmup=False)
    assert (elmo.get_elmo_vectors(batches[1], False, session="any") == expected).all()
    assert (elmo.get_elmo_vectors(batches[1], False) != expected).any()


def test_sentences_without_tokens_have_zeros(folder: Path) -> None:
    """A mean of nothing is no NaN."""
    elmo = ElmoModel()
    elmo.load(folder / "plain.zip")
    assert elmo.get_elmo_vectors([[], ["a"]], layers="all").shape == (2, 3, 1, 16)
    assert not elmo.get_elmo_vector_average([[]]).any()
    assert elmo.get_elmo_vectors([]).shape == (0, 0, 16)


@pytest.mark.parametrize("kind", ["zip", "folder", "gzipped"])
def test_full_reads_the_vocabulary(tmp_path: Path, kind: str) -> None:
    """The words come from the file in the zip or in the folder."""
    write_elmo_files(tmp_path / "elmo")
    model = tmp_path / "elmo"
    if kind == "zip":
        (tmp_path / "words").write_text(VOCABULARY, encoding="utf-8")
        model = tmp_path / "elmo.zip"
        convert_model(tmp_path / "elmo", model, vocabulary=tmp_path / "words")
    elif kind == "folder":
        (model / "vocab.txt").write_text(VOCABULARY, encoding="utf-8")
    else:
        (model / "vocab.txt.gz").write_bytes(gzip.compress(VOCABULARY.encode()))
    elmo = ElmoModel()
    elmo.load(str(model), limit=2, full=True)
    assert elmo.vocab == WORDS_OF_MODEL
    assert elmo.get_elmo_vectors([["a"]]).shape == (1, 1, 16)


def test_full_without_a_vocabulary_is_an_error(folder: Path, tmp_path: Path) -> None:
    """The error names the file that is missing, of a zip and of a folder."""
    for model in (folder / "plain.zip", folder / "plain"):
        with pytest.raises(ConfigurationError, match=r"(?s)plain.*'vocab.txt', but there is none"):
            ElmoModel().load(model, full=True)


def test_calls_with_mistakes_are_errors(folder: Path) -> None:
    """Vectors before a model, and layers that there are not."""
    with pytest.raises(ConfigurationError, match="Call 'load' first"):
        ElmoModel().get_elmo_vectors([["a"]])
    elmo = ElmoModel()
    elmo.load(folder / "plain.zip")
    with pytest.raises(ConfigurationError, match="average, top, all, got 'tob'"):
        elmo.get_elmo_vector_average([["a"]], layers="tob")


def test_the_zip_has_what_simple_elmo_looks_for(folder: Path) -> None:
    """The names are at the top level."""
    with ZipFile(folder / "plain.zip") as archive:
        assert {"options.json", "model.hdf5", "meta.json"} == set(archive.namelist())
