"""Tables of named tuples."""

import pytest

from allennlp_elmo_plugin.extraction.distributed.shard import Receipt, Shard
from allennlp_elmo_plugin.extraction.distributed.tables import rows_of, table_bytes, table_of

pyarrow = pytest.importorskip("pyarrow")

SHARD = Shard("ab", 3, "/corpus/ä.txt", "v", 10, 1 << 40, "ä.txt:", 7, 2, 9)


def test_rows_come_back() -> None:
    """Tuples of strings, integers and numbers are the same after a table."""
    receipt = Receipt("ab", 3, "x", 10, 20, "part", 2, 9, 100, "host:1", 1.7e9 + 0.125, 0.5)
    assert rows_of(table_of([SHARD, SHARD], Shard), Shard) == [SHARD, SHARD]
    assert rows_of(table_of([receipt], Receipt), Receipt) == [receipt]


def test_a_table_without_rows_has_the_same_columns() -> None:
    """An empty table has the schema of others."""
    empty = table_of([], Shard)
    assert empty.schema == table_of([SHARD], Shard).schema
    assert rows_of(empty, Shard) == []


def test_the_bytes_are_a_parquet_file() -> None:
    """Arrow reads them."""
    from pyarrow import parquet

    table = table_of([SHARD], Shard)
    assert parquet.read_table(pyarrow.BufferReader(table_bytes(table))).equals(table)
