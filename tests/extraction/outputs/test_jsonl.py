"""JSON lines."""

import json
from pathlib import Path
from typing import List

import numpy
import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.extraction.sentence import Sentence
from tests.extraction.outputs.corpora import make_corpus, write


def test_a_line_has_the_tokens(tmp_path: Path) -> None:
    """Beside them are the id and the vectors."""
    corpus = make_corpus(3)
    write(tmp_path / "vectors.jsonl", corpus)
    rows = [json.loads(line) for line in (tmp_path / "vectors.jsonl").read_text().splitlines()]
    assert [list(row) for row in rows] == [["id", "tokens", "vectors"]] * 3
    assert [row["tokens"] for row in rows] == [each.tokens for each in corpus.sentences]


@pytest.mark.parametrize("dtype, number", [("float32", "1e-7"), ("float16", "6e-7")])
def test_numbers_are_short(tmp_path: Path, dtype: str, number: str) -> None:
    """No digit is written that the type does not need."""
    corpus = make_corpus(1, None, True, dtype, dim=4)
    corpus.vectors[0][:] = [0.1, -2.5, 0, float(number)]
    write(tmp_path / "vectors.jsonl", corpus)
    text = (tmp_path / "vectors.jsonl").read_text()
    assert f'"vectors": [0.1,-2.5,0.0,{number}]' in text


def _written(folder: Path, numbers: numpy.ndarray) -> List[str]:
    """Returns the decimals that stand for the numbers."""
    path = folder / f"{numbers.dtype}.jsonl"
    corpus = make_corpus(1, None, True, numbers.dtype.name, dim=len(numbers))
    corpus.vectors[0] = numbers
    write(path, corpus)
    _, _, end = path.read_text().partition('"vectors": [')
    return end[:-3].split(",")


def _num_digits(number: str) -> int:
    return len(number.split("e")[0].replace(".", "").replace("-", "").strip("0"))


def test_any_number_comes_back(tmp_path: Path) -> None:
    """Every float16 does, and float32 of all sizes, with as few digits as NumPy needs."""
    generator = numpy.random.default_rng(0)
    for bits in (
        generator.integers(0, 1 << 32, 20_000, dtype="uint32"),
        numpy.arange(1 << 16, dtype="uint16"),
    ):
        numbers = bits.view(f"float{8 * bits.itemsize}")
        numbers = numbers[numpy.isfinite(numbers)]
        texts = _written(tmp_path, numbers)
        found = numpy.array([float(text) for text in texts], dtype=numbers.dtype)
        assert found.tobytes() == numbers.tobytes()
        expected = map(str, numbers)
        assert list(map(_num_digits, texts)) == list(map(_num_digits, expected))


def test_any_text_is_written(tmp_path: Path) -> None:
    """A token may have a half of a surrogate pair, which JSON can escape."""
    corpus = make_corpus(1, None, True)
    corpus.sentences[0] = Sentence(["\ud83d", "\u96e8"], '"', "")
    write(tmp_path / "vectors.jsonl", corpus)
    row = json.loads((tmp_path / "vectors.jsonl").read_text())
    assert (row["id"], row["tokens"]) == ('"', ["\ud83d", "\u96e8"])


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_is_not_finite_is_an_error(tmp_path: Path, number: float) -> None:
    """JSON has none."""
    corpus = make_corpus(2)
    corpus.vectors[1][0, 0, 0] = number
    with pytest.raises(ConfigurationError, match="finite.*sentence '1'"):
        write(tmp_path / "vectors.jsonl", corpus)
