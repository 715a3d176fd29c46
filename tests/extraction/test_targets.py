"""The vectors of all occurrences of some words."""

import json
from pathlib import Path
from typing import Any, List, Optional

import numpy
import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin import BilmEncoder, CarryState, ZeroState
from allennlp_elmo_plugin.extraction.extractor import ElmoExtractor
from allennlp_elmo_plugin.extraction.sentence import Sentence
from allennlp_elmo_plugin.extraction.targets import TargetsTask, positions
from allennlp_elmo_plugin.io.journaled_file import JournaledFile
from tests.support.elmo_files import ElmoFiles, write_elmo_files

TEXTS = ["a rain a", "falls", "rain", "a b c"]
SENTENCES = [Sentence(text.split(), f"key {number}", text) for number, text in enumerate(TEXTS)]
WORDS = ["rain", "a", "nowhere"]


@pytest.fixture(scope="module", name="files")
def _files(tmp_path_factory: pytest.TempPathFactory) -> ElmoFiles:
    return write_elmo_files(tmp_path_factory.mktemp("elmo"))


def _extractor(files: ElmoFiles, state: Any = None, **options: Any) -> ElmoExtractor:
    encoder = BilmEncoder.from_files(*files, initial_state=state or ZeroState())
    return ElmoExtractor(encoder, **options)


def _write(task: TargetsTask, extractor: ElmoExtractor, folder: Path) -> List[numpy.ndarray]:
    """Runs a task, and returns the vectors of the sentences that it wanted."""
    task.require_fit(extractor)
    for sentence in SENTENCES:
        task.count(sentence)
    wanted = list(filter(task.wants, SENTENCES))
    shape = task.shape(len(wanted), sum(len(each.tokens) for each in wanted), extractor)
    vectors = extractor.embed([sentence.tokens for sentence in wanted])
    with task.open_output(JournaledFile(folder / "data"), shape) as output:
        for sentence, array in zip(wanted, vectors):
            output.write(sentence, array)
        output.commit({})
        output.finish(wanted, task.output)
    return vectors


@pytest.mark.parametrize("layers, dtype", [("all", "float32"), ("top", "float16")])
def test_each_word_has_its_occurrences(
    files: ElmoFiles, tmp_path: Path, layers: str, dtype: str
) -> None:
    """In the order of the text, with their places; a word that is nowhere has none."""
    task = TargetsTask([*WORDS, "rain"], tmp_path / "bank.npz", dtype)
    first, second, third = _write(task, _extractor(files, layers=layers), tmp_path)
    expected = {
        "rain": [first[..., 1, :], second[..., 0, :]],
        "a": [first[..., 0, :], first[..., 2, :], third[..., 0, :]],
        "nowhere": [],
    }
    with numpy.load(tmp_path / "bank.npz") as found:
        assert list(found) == WORDS
        for word, vectors in expected.items():
            assert found[word].dtype == dtype
            assert found[word].shape == (len(vectors), *first[..., 0, :].shape)
            assert all(
                (one == other.astype(dtype)).all() for one, other in zip(found[word], vectors)
            )
    assert json.loads((tmp_path / "bank.json").read_text()) == {
        "rain": [["key 0", 1], ["key 2", 0]],
        "a": [["key 0", 0], ["key 0", 2], ["key 3", 0]],
        "nowhere": [],
    }
    assert task.output_class.paths(task.output) == [tmp_path / "bank.json", tmp_path / "bank.npz"]


@pytest.mark.parametrize("state, expected", [(None, [0, 2, 3]), (CarryState(), [0, 1, 2, 3])])
def test_sentences_without_the_words_are_left_out(
    files: ElmoFiles, tmp_path: Path, state: Any, expected: List[int]
) -> None:
    """Unless the vectors of a sentence depend on those before."""
    task = TargetsTask(WORDS, tmp_path / "bank.npz")
    task.require_fit(_extractor(files, state))
    wanted = [number for number, sentence in enumerate(SENTENCES) if task.wants(sentence)]
    assert wanted == expected


@pytest.mark.parametrize("options", [{"pool": "mean"}, {"keep_sentence_boundaries": True}])
def test_each_token_needs_a_vector(files: ElmoFiles, tmp_path: Path, options: Any) -> None:
    """Means have none, and boundaries would shift the positions."""
    task = TargetsTask(WORDS, tmp_path / "bank.npz")
    with pytest.raises(ConfigurationError, match="Leave out the mean and the sentence boundaries"):
        task.require_fit(_extractor(files, **options))


@pytest.mark.parametrize(
    "words, name, problem",
    [([], "bank.npz", "one or more target words"), (WORDS, "bank.h5", "ends in .npz")],
)
def test_words_and_an_npz_are_expected(
    tmp_path: Path, words: List[str], name: str, problem: Optional[str]
) -> None:
    """Anything else is an error."""
    with pytest.raises(ConfigurationError, match=problem):
        TargetsTask(words, tmp_path / name)


def test_a_word_may_have_any_characters(files: ElmoFiles, tmp_path: Path) -> None:
    """Words are names in the file, also with a slash, a space or the ending of an array."""
    words = ["a/b", "../up", "rain", "x.npy", "\u96e8"]
    _write(TargetsTask(words, tmp_path / "bank.npz"), _extractor(files), tmp_path)
    with numpy.load(tmp_path / "bank.npz") as found:
        assert len(found.files) == len(words) and found["a/b"].shape[0] == 0


def test_settings_name_the_words(tmp_path: Path) -> None:
    """Other words cannot go on with the same work."""
    assert TargetsTask(WORDS, tmp_path / "bank.npz").settings()["targets"] == WORDS


def test_positions_are_those_of_the_words() -> None:
    """From 0, in order."""
    assert positions(SENTENCES[0], {"a"}) == [0, 2]


@pytest.mark.parametrize("words", [["a\0b"], ["a.npy", "a"]], ids=["NUL", "ending"])
def test_words_that_cannot_name_arrays_are_an_error(words: List[str], tmp_path: Path) -> None:
    """They are found before anything is read or computed."""
    with pytest.raises(ConfigurationError, match="can name arrays of an .npz file"):
        TargetsTask(words, tmp_path / "out.npz")
