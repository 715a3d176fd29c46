"""Loading a biLM with its softmax."""

import shutil
from pathlib import Path
from typing import Any, Dict, List

import numpy
import pytest
import torch
from allennlp.common import file_utils
from allennlp.common.checks import ConfigurationError
from allennlp.models import load_archive

from allennlp_elmo_plugin.scoring.language_model import LanguageModel, load_language_model
from allennlp_elmo_plugin.scoring.scorer import ElmoScorer
from allennlp_elmo_plugin.scoring.word_distribution import WordDistribution
from tests.support.language_model_experiment import language_model, train
from tests.support.scores import VOCABULARY, write_language_model, write_softmax_files
from tests.support.tagger_experiment import tagger
from tests.support.tagger_experiment import train as train_tagger
from tests.support.tensorflow_bundle import TENSORFLOW_DATA
from tests.support.tensorflow_cases import CASES

SENTENCES = [["the", "rain", "falls", "."], ["a", "hill"], []]


@pytest.fixture(scope="module", name="trained")
def _trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trains a language model in `run`, and exports it to `exported`."""
    folder = tmp_path_factory.mktemp("trained")
    config = language_model(folder)
    config["trainer"]["num_epochs"] = 1
    train(config, folder / "run")
    load_archive(folder / "run").model.to_folder(folder / "exported")
    return folder


@pytest.fixture(scope="module", name="folder")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_language_model(tmp_path_factory.mktemp("lm"))


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_utils, "CACHE_DIRECTORY", str(tmp_path / "cache"))


def _scores(*files: Any, **options: Any) -> List[numpy.ndarray]:
    return ElmoScorer.load(*files, **{"initial_state": "zero", **options}).score(SENTENCES)


def _assert_equal(found: List[numpy.ndarray], expected: List[numpy.ndarray]) -> None:
    for one, other in zip(found, expected):
        assert numpy.allclose(one, other, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["run", "run/model.tar.gz"])
def test_a_trained_model_has_everything(trained: Path, name: str) -> None:
    """The archive and its folder give the scores of the files that it exports."""
    _assert_equal(_scores(trained / name), _scores(trained / "exported"))


@pytest.mark.parametrize("ending", ["zip", "gztar"])
def test_an_exported_folder_may_be_an_archive(trained: Path, tmp_path: Path, ending: str) -> None:
    """The softmax and the vocabulary are found in a zip and in a tar."""
    archive = shutil.make_archive(str(tmp_path / "exported"), ending, trained / "exported")
    _assert_equal(_scores(archive), _scores(trained / "exported"))


def test_files_may_be_named(folder: Path, tmp_path: Path) -> None:
    """Each of the four files may lie elsewhere."""
    names = ("options.json", "weights.hdf5", "softmax.hdf5", "vocabulary.txt")
    copies = [tmp_path / str(number) / name for number, name in enumerate(names)]
    for copy in copies:
        copy.parent.mkdir()
        shutil.copy(folder / copy.name, copy)
    options, weights, softmax, vocabulary = copies
    found = _scores(options, weights, softmax=softmax, vocabulary=vocabulary)
    _assert_equal(found, _scores(folder))


def test_a_checkpoint_has_its_softmax(tmp_path: Path) -> None:
    """A TensorFlow checkpoint that was trained with a softmax needs only the vocabulary."""
    folder = tmp_path / "checkpoint"
    shutil.copytree(TENSORFLOW_DATA / "trained", folder)
    words = ["</S>", "<S>", "<UNK>", "the", "rain", "falls", "."]
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    loaded = load_language_model(folder, initial_state="zero")
    variables = CASES["trained/model.ckpt-12"].variables
    vectors = torch.randn(5, 3)
    logits = vectors @ torch.from_numpy(variables["lm/softmax/W"]).t()
    logits += torch.from_numpy(variables["lm/softmax/b"])
    found = loaded.distribution.score(vectors, torch.arange(5)).log_probabilities
    expected = logits.double().log_softmax(dim=1).diagonal()
    assert torch.allclose(found, expected, atol=1e-6) and loaded.words == words


def test_words_have_numbers(folder: Path) -> None:
    """A word outside of the vocabulary has the number of `<UNK>`, which counts as unknown, too."""
    loaded = load_language_model(folder)
    assert loaded.words == VOCABULARY and loaded.word_id("rain") == 4
    assert loaded.word_id("zebra") == loaded.word_id("<UNK>") == loaded.unknown_id == 5
    unknown = [loaded.is_unknown(word) for word in ("rain", "Rain", "<UNK>", "", "</S>")]
    assert unknown == [False, True, True, True, False]


@pytest.mark.parametrize(
    "removed, expected",
    [
        (["softmax.hdf5"], r"comes without a softmax \(on the command line by --softmax\)"),
        (["vocabulary.txt"], r"comes without a vocabulary \(on the command line by --vocabulary\)"),
        (["softmax.hdf5", "vocabulary.txt"], "a softmax .* and a vocabulary"),
    ],
)
def test_missing_files_are_named(tmp_path: Path, removed: List[str], expected: str) -> None:
    """The error tells how to name them."""
    folder = write_language_model(tmp_path)
    for name in removed:
        (folder / name).unlink()
    with pytest.raises(ConfigurationError, match=f"{expected}.*Name what is missing"):
        load_language_model(folder)


def test_several_files_are_an_error(tmp_path: Path) -> None:
    """Of two files that may be the softmax, none is taken."""
    folder = write_language_model(tmp_path)
    shutil.copy(folder / "softmax.hdf5", folder / "old_softmax.hdf5")
    with pytest.raises(ConfigurationError, match="found 'old_softmax.hdf5', 'softmax.hdf5'"):
        load_language_model(folder)
    load_language_model(folder, softmax=folder / "softmax.hdf5")


def test_a_softmax_of_other_sizes_is_an_error(folder: Path, tmp_path: Path) -> None:
    """The error has both shapes."""
    write_softmax_files(tmp_path, VOCABULARY[:-1], 16)
    with pytest.raises(ConfigurationError, match=r"expected \(11, 16\), got \(10, 16\)"):
        load_language_model(folder, softmax=tmp_path / "softmax.hdf5")
    write_softmax_files(tmp_path, VOCABULARY, 12)
    with pytest.raises(ConfigurationError, match=r"expected \(11, 16\), got \(11, 12\)"):
        load_language_model(folder, softmax=tmp_path / "softmax.hdf5")


def test_a_vocabulary_has_a_word_for_the_unknown(folder: Path, tmp_path: Path) -> None:
    """Without `<UNK>` there is no probability of other words."""
    (tmp_path / "words.txt").write_text("<S>\n</S>\nrain\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="<UNK>"):
        load_language_model(folder, vocabulary=tmp_path / "words.txt")


def test_parts_must_fit_each_other(folder: Path) -> None:
    """A language model is checked, wherever its parts come from."""
    encoder = load_language_model(folder).encoder
    distribution = WordDistribution(torch.rand(3, 16), torch.rand(3))
    with pytest.raises(ConfigurationError, match=r"shape \(2, 16\).*got one of the shape \(3, 16"):
        LanguageModel(encoder, distribution, ["<UNK>", "a"])
    with pytest.raises(ConfigurationError, match="got 3 words without it"):
        LanguageModel(encoder, distribution, ["a", "b", "c"])


@pytest.mark.parametrize("option", ["softmax", "vocabulary"])
def test_a_trained_model_takes_no_other_files(trained: Path, option: str) -> None:
    """Its own softmax belongs to its own vocabulary."""
    files: Dict[str, Any] = {option: trained / "exported" / "vocabulary.txt"}
    with pytest.raises(ConfigurationError, match="has both. Leave them out"):
        load_language_model(trained / "run", **files)


def test_another_trained_model_has_no_softmax(tmp_path: Path) -> None:
    """A tagger with an ELMo gives vectors alone, unless its softmax is named."""
    write_language_model(tmp_path / "elmo")
    train_tagger(tagger(tmp_path, options_file=str(tmp_path / "elmo")), tmp_path / "run")
    with pytest.raises(ConfigurationError, match="comes without a softmax"):
        load_language_model(tmp_path / "run")


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_a_precision_is_that_of_the_softmax_too(folder: Path, precision: str) -> None:
    """The scores change a little, and the digest of the softmax changes."""
    exact, reduced = (_scores(folder, precision=each) for each in (None, precision))
    assert 0 < max(abs(one - other)[..., 0].max() for one, other in zip(exact, reduced)) < 0.5
