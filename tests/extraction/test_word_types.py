"""One vector for each frequent word, in word2vec's formats."""

from pathlib import Path
from typing import Any, Dict, List

import numpy
import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin import BilmEncoder, ZeroState
from allennlp_elmo_plugin.extraction.extractor import ElmoExtractor
from allennlp_elmo_plugin.extraction.result_shape import ResultShape
from allennlp_elmo_plugin.extraction.sentence import Sentence
from allennlp_elmo_plugin.extraction.word_types import WordTypesTask
from allennlp_elmo_plugin.io.journaled_file import JournaledFile
from tests.support.elmo_files import write_elmo_files

TEXTS = [
    ["b", "a", "two words"],
    ["a", "c", "b", "two words"],
    [],
    ["\u96e8", "\u00a0", "two words"],
]
SENTENCES = [Sentence(tokens, str(number), "") for number, tokens in enumerate(TEXTS)]
DIM = 6
VECTORS = [
    numpy.random.default_rng(number).standard_normal((len(tokens), DIM)).astype("float32")
    for number, tokens in enumerate(TEXTS)
]


@pytest.fixture(scope="module", name="extractor")
def _extractor(tmp_path_factory: pytest.TempPathFactory) -> ElmoExtractor:
    files = write_elmo_files(tmp_path_factory.mktemp("elmo"))
    return ElmoExtractor(BilmEncoder.from_files(*files, initial_state=ZeroState()), "top")


def _write(
    output: Path, extractor: ElmoExtractor, num_types: int = 9, vectors: Any = VECTORS
) -> None:
    """Writes vectors, and stops once after a commit."""
    task = WordTypesTask(num_types, output)
    for sentence in SENTENCES:
        task.count(sentence)
    shape = task.shape(len(SENTENCES), 9, extractor)._replace(dim=DIM)
    path = output.with_name("data")
    for part in (slice(0, 1), slice(1, None)):
        with task.open_output(JournaledFile(path), shape) as writer:
            for sentence, array in zip(SENTENCES[part], vectors[part]):
                writer.write(sentence, array)
            writer.commit({})
    with task.open_output(JournaledFile(path), shape) as writer:
        writer.finish(SENTENCES, output)
    path.with_name("data.journal").unlink()


def _expected() -> Dict[str, numpy.ndarray]:
    occurrences: Dict[str, List[numpy.ndarray]] = {}
    for tokens, vectors in zip(TEXTS, VECTORS):
        for token, vector in zip(tokens, vectors):
            occurrences.setdefault(token, []).append(vector.astype("float64"))
    means = {word: numpy.mean(each, axis=0) for word, each in occurrences.items()}
    return {word: mean / numpy.sqrt(mean @ mean) for word, mean in means.items()}


@pytest.mark.parametrize("ending", [".txt", ".vec", ".VEC"])
def test_the_text_format_is_word2vecs(
    tmp_path: Path, extractor: ElmoExtractor, ending: str
) -> None:
    """A line with two counts, and one for each word; reading gives the bits of float32."""
    _write(tmp_path / f"types{ending}", extractor)
    first, *lines = (tmp_path / f"types{ending}").read_text(encoding="utf-8").splitlines()
    assert first == f"4 {DIM}"
    expected = _expected()
    assert [line.split(" ")[0] for line in lines] == ["b", "a", "c", "\u96e8"]
    for line in lines:
        word, *numbers = line.split(" ")
        assert abs(numpy.array(numbers, dtype="float32") - expected[word]).max() < 1e-6


def test_the_binary_format_has_the_same_numbers(tmp_path: Path, extractor: ElmoExtractor) -> None:
    """Each word is followed by a space, its float32 numbers and a line feed."""
    _write(tmp_path / "types.txt", extractor)
    _write(tmp_path / "types.bin", extractor)
    first, *lines = (tmp_path / "types.txt").read_text(encoding="utf-8").splitlines()
    expected = first.encode() + b"\n"
    for line in lines:
        word, *numbers = line.split(" ")
        expected += f"{word} ".encode() + numpy.array(numbers, "<f4").tobytes() + b"\n"
    assert (tmp_path / "types.bin").read_bytes() == expected


def test_the_most_frequent_words_are_chosen(tmp_path: Path, extractor: ElmoExtractor) -> None:
    """Of equally frequent ones the first; words with white space cannot be written."""
    _write(tmp_path / "types.txt", extractor, num_types=2)
    lines = (tmp_path / "types.txt").read_text(encoding="utf-8").splitlines()
    assert [line.split(" ")[0] for line in lines] == ["2", "b", "a"]


def test_a_mean_of_zeros_stays(tmp_path: Path, extractor: ElmoExtractor) -> None:
    """It has no direction."""
    _write(tmp_path / "types.txt", extractor, vectors=[0 * vectors for vectors in VECTORS])
    assert "nan" not in (tmp_path / "types.txt").read_text(encoding="utf-8")


def test_the_size_is_estimated(tmp_path: Path, extractor: ElmoExtractor) -> None:
    """The estimate is at least the size, and not much more."""
    output_class = WordTypesTask(1, tmp_path / "types.txt").output_class
    shape = ResultShape(3, 50, None, False, 100, "float32")
    assert 50 * 100 * 10 < output_class.num_bytes(shape, 0, 0) < 50 * 100 * 14


@pytest.mark.parametrize(
    "options",
    [{"layers": "all"}, {"pool": "mean"}, {"keep_sentence_boundaries": True}],
)
def test_each_token_needs_one_vector(
    tmp_path: Path, extractor: ElmoExtractor, options: Any
) -> None:
    """All layers, means and boundaries do not go with types."""
    other = ElmoExtractor(extractor.encoder, **{"layers": "top", **options})
    with pytest.raises(ConfigurationError, match="Choose one layer or a mix"):
        WordTypesTask(3, tmp_path / "types.txt").require_fit(other)


@pytest.mark.parametrize("num_types, name, problem", [(0, "a.txt", "got 0"), (1, "a.h5", ".bin")])
def test_types_and_an_ending_are_expected(
    tmp_path: Path, num_types: int, name: str, problem: str
) -> None:
    """Anything else is an error."""
    with pytest.raises(ConfigurationError, match=problem):
        WordTypesTask(num_types, tmp_path / name)
