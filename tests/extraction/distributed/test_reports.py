"""The files about the shards of a distributed extraction."""

import io
import json
from typing import List

import pytest
from allennlp.common.checks import ConfigurationError
from hypothesis import given

from allennlp_elmo_plugin.extraction.distributed.reports import (
    failures_to_json_lines,
    receipts_from_parquet,
    receipts_to_parquet,
)
from allennlp_elmo_plugin.extraction.distributed.shard import Failure, Receipt
from tests.extraction.distributed.receipts import any_failures, any_receipts, failure, receipt
from tests.extraction.outputs.corpora import needs_pyarrow


@given(any_failures())
def test_failures_are_lines_in_the_order_of_shards(failures: List[Failure]) -> None:
    """Each object has the fields of one failure, whatever its texts."""
    lines = failures_to_json_lines(failures).split(b"\n")
    assert lines.pop() == b""
    read = [Failure(**json.loads(line)) for line in lines]
    assert [each.number for each in read] == sorted(each.number for each in failures)
    assert sorted(read) == sorted(failures)


def test_an_error_stays_readable() -> None:
    """Letters beyond ASCII are written as they are."""
    assert "'雨' fehlt".encode() in failures_to_json_lines([failure(1, error="'雨' fehlt")])


@needs_pyarrow
@given(any_receipts())
def test_receipts_are_read_as_they_were(receipts: List[Receipt]) -> None:
    """They come back in the order of the shards, with every digit."""
    read = receipts_from_parquet(receipts_to_parquet(receipts))
    assert [each.number for each in read] == sorted(each.number for each in receipts)
    assert {each.number: each for each in read} == {each.number: each for each in receipts}


@needs_pyarrow
def test_receipts_are_a_table_for_any_reader() -> None:
    """Sums and times are numbers, also where there are no receipts."""
    from pyarrow import parquet

    for receipts in ([receipt(1), receipt(0)], []):
        table = parquet.read_table(io.BytesIO(receipts_to_parquet(receipts)))
        assert table.column_names == list(Receipt._fields)
        assert table["num_tokens"].to_pylist() == [100] * len(receipts)
        kinds = {name: str(kind) for name, kind in zip(table.column_names, table.schema.types)}
        assert kinds["id"] == "string" and kinds["end"] == "int64"
        assert kinds["started"] == "double"


@needs_pyarrow
def test_another_file_is_an_error() -> None:
    """The error names the file, and what was found in it."""
    import pyarrow
    from pyarrow import parquet

    with pytest.raises(ConfigurationError, match=r"'s3://a/_shards.parquet'.*not a Parquet file"):
        receipts_from_parquet(b"PAR1", "s3://a/_shards.parquet")
    content = io.BytesIO()
    parquet.write_table(pyarrow.table({"id": ["a"]}), content)
    with pytest.raises(ConfigurationError, match=r"the columns \['id'\]"):
        receipts_from_parquet(content.getvalue())
