"""The occurrences of target words in a shard."""

from pathlib import Path
from typing import List

import numpy
import pytest

from allennlp_elmo_plugin import BilmEncoder, ZeroState
from allennlp_elmo_plugin.extraction.distributed.shard_targets import (
    OccurrencesOutput,
    OccurrencesTask,
)
from allennlp_elmo_plugin.extraction.extractor import ElmoExtractor
from allennlp_elmo_plugin.extraction.result_shape import ResultShape
from tests.extraction.distributed.shards import run_job
from tests.support.elmo_files import write_elmo_files

parquet = pytest.importorskip("pyarrow.parquet")

SENTENCES = [["a", "rain", "a"], ["falls"], ["rain"]]


@pytest.fixture(scope="module", name="encoder")
def _encoder(tmp_path_factory: pytest.TempPathFactory) -> BilmEncoder:
    files = write_elmo_files(tmp_path_factory.mktemp("elmo"))
    return BilmEncoder.from_files(*files, initial_state=ZeroState())


@pytest.mark.parametrize(
    "layers, dtype, kind",
    [("top", "float32", "list<{}: float>"), ("all", "float16", "list<{}: list<{}: halffloat>>")],
)
def test_rows_are_occurrences(
    tmp_path: Path, encoder: BilmEncoder, layers: str, dtype: str, kind: str
) -> None:
    """In the order of the text, with the number of the word, which counts repeated words once."""
    extractor = ElmoExtractor(encoder, layers)
    task = OccurrencesTask(["rain", "rain", "nowhere", "a"], tmp_path / "a.parquet", dtype)
    table = parquet.read_table(run_job(SENTENCES, 7, extractor, task))
    types = [
        str(each).replace("item", "{}").replace("element", "{}") for each in table.schema.types
    ]
    assert table.column_names == ["word", "id", "position", "vectors"]
    assert types == ["int32", "string", "int32", kind]
    *columns, vectors = table.to_pydict().values()
    assert list(zip(*columns)) == [
        (2, "n\u00b0 7", 0),
        (0, "n\u00b0 7", 1),
        (2, "n\u00b0 7", 2),
        (0, "n\u00b0 9", 0),
    ]
    first, _, third = extractor.embed(SENTENCES)
    expected = [first[..., position, :] for position in range(3)] + [third[..., 0, :]]
    assert numpy.allclose(numpy.array(vectors, dtype), expected, atol=1e-2)


@pytest.mark.parametrize("sentences", [[], [["falls"]]], ids=["no sentence", "no target"])
def test_a_table_may_be_empty(
    tmp_path: Path, encoder: BilmEncoder, sentences: List[List[str]]
) -> None:
    """It has its columns."""
    task = OccurrencesTask(["rain"], tmp_path / "a.parquet")
    table = parquet.read_table(run_job(sentences, 0, ElmoExtractor(encoder), task))
    assert table.num_rows == 0 and table.num_columns == 4


def test_the_size_is_estimated(tmp_path: Path, encoder: BilmEncoder) -> None:
    """The estimate is about the size, also if a sentence has many occurrences."""
    sentences = [["rain", "falls", "rain"]] * 500
    task = OccurrencesTask(["rain"], tmp_path / "a.parquet")
    extractor = ElmoExtractor(encoder)
    size = run_job(sentences, 0, extractor, task).stat().st_size
    shape = ResultShape(500, 1000, extractor.num_layers, False, extractor.dim, "float32")
    num_key_bytes = sum(len(f"n\u00b0 {number}".encode()) for number in range(500))
    assert 0.9 * size < OccurrencesOutput.num_bytes(shape, num_key_bytes, 0) < 1.4 * size
