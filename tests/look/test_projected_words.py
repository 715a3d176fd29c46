"""The vectors of words in the projector, from the files of `allennlp elmo`."""

from pathlib import Path
from typing import Any, Dict, List

import numpy
import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.extraction.sentence import Sentence
from allennlp_elmo_plugin.extraction.targets import TargetsTask
from allennlp_elmo_plugin.extraction.word2vec import write_mean_vectors
from allennlp_elmo_plugin.extraction.word_types import WordTypesTask
from allennlp_elmo_plugin.look import projected_words
from allennlp_elmo_plugin.look.projected_words import prepare_points

WORDS = ["rare", "often", "nowhere"]


def _sentences(texts: List[str]) -> List[Sentence]:
    return [Sentence(text.split(), f"key {number}", text) for number, text in enumerate(texts)]


def _write_bank(path: Path, sentences: List[Sentence], dtype: str) -> Dict[str, Any]:
    """Writes what `--targets` writes, where a vector has the numbers of sentence and token."""
    bank = {
        word: numpy.array(
            [
                [[number, position], [-number, 0.5]]
                for number, sentence in enumerate(sentences)
                for position, token in enumerate(sentence.tokens)
                if token == word
            ],
            dtype,
        ).reshape(-1, 2, 2)
        for word in WORDS
    }
    numpy.savez(path, **bank)
    return bank


def _columns(folder: Path) -> Dict[str, List[str]]:
    lines = (folder / "metadata.tsv").read_text(encoding="utf-8").splitlines()
    names, *rows = (line.split("\t") for line in lines)
    return {name: list(column) for name, *column in zip(names, *rows)}


def _layer(folder: Path, layer: int) -> numpy.ndarray:
    return numpy.loadtxt(folder / f"layer_{layer}.tsv", delimiter="\t", ndmin=2)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_each_occurrence_is_a_point(tmp_path: Path, dtype: str) -> None:
    """It has its vector, its word, the sentence, and its place."""
    sentences = _sentences(["often a often", "b", "rare often", "a rare"])
    output = tmp_path / "bank.npz"
    points = prepare_points(TargetsTask(WORDS, output), sentences)
    _write_bank(output, sentences, dtype)
    message = points.write(output, tmp_path / "new")
    assert message.startswith(f"Wrote 5 points to '{tmp_path / 'new'}'")
    assert _columns(tmp_path / "new") == {
        "word": ["often", "often", "often", "rare", "rare"],
        "sentence": ["often a often", "often a often", "rare often", "rare often", "a rare"],
        "key": ["key 0", "key 0", "key 2", "key 2", "key 3"],
        "position": ["0", "2", "1", "0", "1"],
    }
    assert _layer(tmp_path / "new", 0).tolist() == [[0, 0], [0, 2], [2, 1], [2, 0], [3, 1]]
    assert _layer(tmp_path / "new", 1)[-1].tolist() == [-3, 0.5]


def test_many_occurrences_are_spread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the limit, a rare word keeps all of its points, and a frequent one has some of its."""
    monkeypatch.setattr(projected_words, "MAX_POINTS", 12)
    sentences = _sentences(["often"] * 40 + ["rare rare"] + ["often"] * 60)
    output = tmp_path / "bank.npz"
    points = prepare_points(TargetsTask(WORDS, output), sentences)
    _write_bank(output, sentences, "float32")
    message = points.write(output, tmp_path / "new")
    assert "Wrote 12 points of 102, spread evenly over the words" in message
    columns = _columns(tmp_path / "new")
    assert columns["word"] == ["often"] * 10 + ["rare"] * 2
    numbers = [int(key.split()[1]) for key in columns["key"]]
    assert numbers == _layer(tmp_path / "new", 0)[:, 0].tolist()
    assert numbers[:10] == [0, 10, 20, 30, 41, 51, 61, 71, 81, 91]


def test_long_sentences_are_cut(tmp_path: Path) -> None:
    """Twenty tokens on each side are shown, and a sign where there are more."""
    tokens = [str(number) for number in range(60)]
    tokens[25] = tokens[50] = "rare"
    sentences = _sentences([" ".join(tokens)])
    output = tmp_path / "bank.npz"
    points = prepare_points(TargetsTask(WORDS, output), sentences)
    _write_bank(output, sentences, "float32")
    points.write(output, tmp_path)
    first, second = _columns(tmp_path)["sentence"]
    assert first.split() == ["\u2026", *tokens[5:46], "\u2026"]
    assert second.split() == ["\u2026", *tokens[30:]]


@pytest.mark.parametrize("text, number", [("a b", 0), ("a rare", 1)])
def test_too_few_occurrences_are_an_error(tmp_path: Path, text: str, number: int) -> None:
    """The projector shows no single point, so the error comes before anything is computed."""
    with pytest.raises(ConfigurationError, match=f"two or more occurrences.*found {number}"):
        prepare_points(TargetsTask(WORDS, tmp_path / "bank.npz"), _sentences([text]))


@pytest.mark.parametrize("ending", ["txt", "vec", "bin"])
def test_each_word_type_is_a_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    """The most frequent words are shown with their ranks, up to the limit."""
    monkeypatch.setattr(projected_words, "MAX_POINTS", 2)
    output = tmp_path / f"types.{ending}"
    points = prepare_points(WordTypesTask(3, output), [])
    write_mean_vectors(output, ["caf\u00e9", "b", "c"], numpy.diag([1.0, 2.0, 3.0]))
    message = points.write(output, tmp_path / "new")
    assert "Wrote 2 points of 3, the most frequent ones" in message
    assert _columns(tmp_path / "new") == {"word": ["caf\u00e9", "b"], "rank": ["1", "2"]}
    vectors = numpy.loadtxt(tmp_path / "new" / "vectors.tsv", delimiter="\t")
    assert vectors.tolist() == [[1, 0, 0], [0, 1, 0]]
