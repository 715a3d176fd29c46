"""The sums of the vectors of frequent words in a shard."""

from pathlib import Path
from typing import Any, Dict, List

import numpy
import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin import BilmEncoder, ZeroState
from allennlp_elmo_plugin.extraction.distributed import shard_types
from allennlp_elmo_plugin.extraction.distributed.shard_types import WordSumsOutput, WordSumsTask
from allennlp_elmo_plugin.extraction.extractor import ElmoExtractor
from allennlp_elmo_plugin.extraction.result_shape import ResultShape
from allennlp_elmo_plugin.extraction.sentence import Sentence
from tests.extraction.distributed.shards import run_job
from tests.support.elmo_files import write_elmo_files

parquet = pytest.importorskip("pyarrow.parquet")

SENTENCES = [["falls", "rain", "a"], ["falls"], ["rain", "rain"]]
NUMBERS = {"rain": 0, "nowhere": 1, "falls": 2}


@pytest.fixture(scope="module", name="extractor")
def _extractor(tmp_path_factory: pytest.TempPathFactory) -> ElmoExtractor:
    files = write_elmo_files(tmp_path_factory.mktemp("elmo"))
    return ElmoExtractor(BilmEncoder.from_files(*files, initial_state=ZeroState()), "top")


def _expected(extractor: ElmoExtractor, word: str) -> numpy.ndarray:
    vectors = [
        vector
        for tokens, array in zip(SENTENCES, extractor.embed(SENTENCES))
        for token, vector in zip(tokens, array.astype("float64"))
        if token == word
    ]
    return numpy.array([len(vectors), *sum(vectors)])


@pytest.mark.parametrize("num_batch_bytes", [1, 8 << 20])
def test_rows_are_the_words_of_the_shard(
    tmp_path: Path,
    extractor: ElmoExtractor,
    monkeypatch: pytest.MonkeyPatch,
    num_batch_bytes: int,
) -> None:
    """By their numbers, in any number of row groups."""
    monkeypatch.setattr(shard_types, "NUM_BATCH_BYTES", num_batch_bytes)
    path = run_job(SENTENCES, 0, extractor, WordSumsTask(NUMBERS, tmp_path / "a.parquet"))
    table = parquet.read_table(path)
    assert parquet.ParquetFile(path).num_row_groups == (2 if num_batch_bytes == 1 else 1)
    types = [str(each).replace("item", "element") for each in table.schema.types]
    assert table.column_names == ["word", "count", "sum"]
    assert types == ["int32", "int64", "list<element: double>"]
    rows = table.to_pylist()
    assert [row["word"] for row in rows] == [0, 2]
    for row, word in zip(rows, ["rain", "falls"]):
        found = [row["count"], *row["sum"]]
        assert numpy.allclose(found, _expected(extractor, word), atol=1e-5)


@pytest.mark.parametrize("sentences", [[], [["a"]]], ids=["no sentence", "no word"])
def test_a_table_may_be_empty(
    tmp_path: Path, extractor: ElmoExtractor, sentences: List[List[str]]
) -> None:
    """It has its columns."""
    task = WordSumsTask(NUMBERS, tmp_path / "a.parquet")
    table = parquet.read_table(run_job(sentences, 0, extractor, task))
    assert table.num_rows == 0 and table.num_columns == 3


@pytest.mark.parametrize("numbers", [{**NUMBERS, "a": 3}, {"rain": 1, "falls": 0}])
def test_settings_tell_other_words(tmp_path: Path, numbers: Dict[str, int]) -> None:
    """They have a digest of the words of the shard, and of their numbers."""
    settings: List[Dict[str, Any]] = []
    for each in (NUMBERS, {**NUMBERS, "elsewhere": 9}, numbers):
        task = WordSumsTask(each, tmp_path / "a.parquet")
        for tokens in SENTENCES:
            task.count(Sentence(tokens, "", ""))
        settings.append(task.settings())
    assert settings[0] == settings[1] != settings[2]


def test_each_token_needs_one_vector(tmp_path: Path, extractor: ElmoExtractor) -> None:
    """Of all layers there is no single sum."""
    with pytest.raises(ConfigurationError, match="Choose one layer or a mix"):
        WordSumsTask(NUMBERS, tmp_path / "a").require_fit(ElmoExtractor(extractor.encoder))


def test_the_size_is_estimated(tmp_path: Path, extractor: ElmoExtractor) -> None:
    """The estimate is about the size."""
    words = [f"w{number}" for number in range(500)]
    numbers = {word: number for number, word in enumerate(words)}
    task = WordSumsTask(numbers, tmp_path / "a.parquet")
    size = run_job([words], 0, extractor, task).stat().st_size
    shape = ResultShape(1, 500, None, False, extractor.dim, "float32")
    assert 0.9 * size < WordSumsOutput.num_bytes(shape, 0, 0) < 1.4 * size
