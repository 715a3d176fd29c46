"""ElmoModel of simple_elmo, beside the numbers of simple_elmo on TensorFlow."""

import gzip
import json
from pathlib import Path
from typing import Any, Dict, List
from zipfile import ZipFile

import numpy
import pytest
import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin import ElmoBilm
from allennlp_elmo_plugin.compat.convert import convert_model
from allennlp_elmo_plugin.compat.simple_elmo import ElmoModel
from tests.support.elmo_files import write_elmo_files
from tests.support.softmax_files import SOFTMAX_WORDS, SoftmaxOracle, write_softmax_files
from tests.support.tensorflow_bundle import TENSORFLOW_DATA
from tests.tools.simple_elmo_models import MODELS, write_models
from tests.tools.simple_elmo_substitutes import SUBSTITUTES, TEXTS, write_model
from tests.tools.simple_elmo_substitutes import WORDS as WORDS_OF_CHECKPOINT
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


# Substitutes.


@pytest.fixture(scope="module", name="oracle")
def _oracle(folder: Path) -> SoftmaxOracle:
    return write_softmax_files(folder / "lm")


@pytest.fixture(scope="module", name="language_model")
def _language_model(folder: Path, oracle: SoftmaxOracle) -> ElmoModel:
    elmo = ElmoModel()
    elmo.load(folder / "lm", full=True)
    return elmo


def _log_probabilities(candidates: Dict[str, Any], num_words: int) -> numpy.ndarray:
    """Returns the log probability of each word, from logits or from log probabilities."""
    found = numpy.empty(num_words)
    found[candidates["candidates"]] = candidates["logp"]
    return found - numpy.log(numpy.exp(found).sum())


def test_substitutes_are_those_of_simple_elmo_where_it_knows_the_context(tmp_path: Path) -> None:
    """It knows the neighbour, all context of a first word forward and of a last word backward."""
    write_model(tmp_path / "trained")
    elmo = ElmoModel()
    elmo.load(tmp_path / "trained", full=True)
    num_words = len(WORDS_OF_CHECKPOINT)
    found = elmo.get_elmo_substitutes(TEXTS, topn=num_words, nodelimiters=False)
    theirs = json.loads(SUBSTITUTES.read_text(encoding="utf-8"))
    assert [[each["word"] for each in sentence] for sentence in found] == [
        [each["word"] for each in sentence] for sentence in theirs
    ]
    for one, other in zip(found, theirs):
        for position, direction in ((0, "forward"), (-1, "backward")):
            numpy.testing.assert_allclose(
                *(
                    _log_probabilities(each[position][direction], num_words)
                    for each in (one, other)
                ),
                atol=2e-4,
            )


@pytest.mark.parametrize("nodelimiters", [True, False])
def test_substitutes_are_sorted_log_probabilities(
    language_model: ElmoModel, oracle: SoftmaxOracle, nodelimiters: bool
) -> None:
    """They are the oracle's, in lists of Python's own numbers. `<UNK>` may be a candidate."""
    texts = ["the old  umbrella shines .", "", "rain"]
    num_words = len(SOFTMAX_WORDS) - (2 if nodelimiters else 0)
    found = language_model.get_elmo_substitutes(texts, num_words, nodelimiters)
    assert json.loads(json.dumps(found)) == found
    assert [[each["word"] for each in sentence] for sentence in found] == [
        ["the", "old", "<UNK>", "shines", "."],
        [],
        ["rain"],
    ]
    delimiters = {"<S>", "</S>"} if nodelimiters else set()
    for text, sentence in zip(texts, found):
        for name, distribution in zip(("forward", "backward"), oracle.distributions(text.split())):
            for token, probabilities in zip(sentence, distribution):
                _assert_sorted(token[name], probabilities, set(SOFTMAX_WORDS) - delimiters)


def _assert_sorted(candidates: Dict[str, Any], probabilities: Any, allowed: Any) -> None:
    order: List[int] = [
        row for row in numpy.argsort(-probabilities).tolist() if SOFTMAX_WORDS[row] in allowed
    ]
    assert candidates["candidates"] == order
    assert candidates["candidate_words"] == [SOFTMAX_WORDS[row] for row in order]
    numpy.testing.assert_allclose(candidates["logp"], numpy.log(probabilities[order]), atol=1e-5)


def test_substitutes_depend_on_the_sentence_alone(language_model: ElmoModel) -> None:
    """Fewer sentences than a batch are enough, and vectors between them change nothing."""
    one = language_model.get_elmo_substitutes(["rain falls"])
    language_model.get_elmo_vectors([["the", "sun"]])
    two = language_model.get_elmo_substitutes(["the sun shines .", "rain falls"])
    assert two[1:] == one and len(one[0][0]["forward"]["logp"]) == 3


def test_substitutes_need_a_language_model(folder: Path, language_model: ElmoModel) -> None:
    """The errors say what is missing: `full`, a softmax, or a list of strings."""
    elmo = ElmoModel()
    elmo.load(folder / "lm")
    with pytest.raises(ConfigurationError, match="'full=True' first"):
        elmo.get_elmo_substitutes(["rain"])
    (folder / "plain" / "vocab.txt").write_text(VOCABULARY, encoding="utf-8")
    elmo.load(folder / "plain", full=True)
    (folder / "plain" / "vocab.txt").unlink()
    with pytest.raises(ConfigurationError, match="comes without a softmax"):
        elmo.get_elmo_substitutes(["rain"])
    for data in ("rain", [["rain"]]):
        with pytest.raises(ConfigurationError, match="Expected a list of sentences"):
            language_model.get_elmo_substitutes(data)  # type: ignore[arg-type]
