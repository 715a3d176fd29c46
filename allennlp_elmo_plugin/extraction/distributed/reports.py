"""
Files about the shards of a distributed extraction: receipts in Parquet, failures as JSON lines.

All is returned as bytes, since the files may lie in a remote store.
"""

import json
from operator import attrgetter
from typing import Any, Iterable, List

from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.extraction.distributed.shard import Failure, Receipt
from allennlp_elmo_plugin.extraction.distributed.tables import rows_of, table_bytes, table_of

__all__ = ["RECEIPTS", "failures_to_json_lines", "receipts_from_parquet", "receipts_to_parquet"]

RECEIPTS = "_shards.parquet"
"""Name of the receipts' file. Readers of a folder of Parquet files skip names that begin with _."""


def failures_to_json_lines(failures: Iterable[Failure]) -> bytes:
    """
    Writes an object for each failure, in the order of the shards.

    # Parameters

    failures : `Iterable[Failure]`
        The failures, in any order.

    # Returns

    `bytes`
        Lines in UTF-8, with the fields of the failures.
    """
    lines = (
        json.dumps(failure._asdict(), ensure_ascii=False) + "\n" for failure in _in_order(failures)
    )
    # Half a surrogate pair, as in the path of a file whose name is not UTF-8, becomes its escape in
    # JSON.
    return "".join(lines).encode("utf-8", "backslashreplace")


def receipts_to_parquet(receipts: Iterable[Receipt]) -> bytes:
    """
    Writes a table with a row for each receipt, in the order of the shards.

    # Parameters

    receipts : `Iterable[Receipt]`
        The receipts, in any order.

    # Returns

    `bytes`
        A Parquet file whose columns are the fields of the receipts.
    """
    return table_bytes(table_of(_in_order(receipts), Receipt))


def receipts_from_parquet(content: bytes, source: str = RECEIPTS) -> List[Receipt]:
    """
    Reads the receipts that `receipts_to_parquet` has written.

    # Parameters

    content : `bytes`
        The Parquet file.
    source : `str`, optional (default = `"_shards.parquet"`)
        Path or URL of the file, for errors.

    # Returns

    `List[Receipt]`
        The receipts, in the order of the table.

    # Raises

    `ConfigurationError`
        If it is not such a file.
    """
    import pyarrow
    from pyarrow import parquet

    fields = list(Receipt._fields)
    try:
        table = parquet.read_table(pyarrow.BufferReader(content))
    except pyarrow.ArrowException as error:
        raise ConfigurationError(
            f"Expected the receipts of a distributed extraction in '{source}', but it is not a "
            f"Parquet file ({error}). Is it damaged, or another file of that name?"
        ) from error
    if table.column_names != fields:
        raise ConfigurationError(
            f"Expected the receipts of a distributed extraction in '{source}', with the columns "
            f"{fields}, but found the columns {table.column_names}. Is it another file of that "
            "name, or one of another version of the plugin?"
        )
    return rows_of(table, Receipt)


def _in_order(reported: Iterable[Any]) -> List[Any]:
    return sorted(reported, key=attrgetter("number"))
