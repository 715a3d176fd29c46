"""JSON lines."""

import json
from pathlib import Path

import pytest
from allennlp.common.checks import ConfigurationError

from tests.extraction.outputs.corpora import make_corpus, write


def test_a_line_has_the_tokens(tmp_path: Path) -> None:
    """Beside them are the id and the vectors."""
    corpus = make_corpus(3)
    write(tmp_path / "vectors.jsonl", corpus)
    rows = [json.loads(line) for line in (tmp_path / "vectors.jsonl").read_text().splitlines()]
    assert [list(row) for row in rows] == [["id", "tokens", "vectors"]] * 3
    assert [row["tokens"] for row in rows] == [each.tokens for each in corpus.sentences]


def test_numbers_are_short(tmp_path: Path) -> None:
    """No digit is written that the type does not need."""
    corpus = make_corpus(1, None, True, dim=4)
    corpus.vectors[0][:] = [0.1, -2.5, 0, 1e-7]
    write(tmp_path / "vectors.jsonl", corpus)
    assert '"vectors": [0.1, -2.5, 0, 1e-07]' in (tmp_path / "vectors.jsonl").read_text()


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_is_not_finite_is_an_error(tmp_path: Path, number: float) -> None:
    """JSON has none."""
    corpus = make_corpus(2)
    corpus.vectors[1][0, 0, 0] = number
    with pytest.raises(ConfigurationError, match="finite.*sentence '1'"):
        write(tmp_path / "vectors.jsonl", corpus)
