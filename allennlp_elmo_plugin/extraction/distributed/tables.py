"""
Tables of Arrow with a column for each field of a named tuple.
"""

from typing import Any, Iterable, List, Type, TypeVar

__all__ = ["rows_of", "table_bytes", "table_of"]

Row = TypeVar("Row")


def table_of(rows: Iterable[Row], row_type: Type[Row]) -> Any:
    """
    Returns a table of named tuples.

    # Parameters

    rows : `Iterable[Row]`
        The tuples.
    row_type : `Type[Row]`
        Their type, whose fields are strings, integers and floating-point numbers.

    # Returns

    `pyarrow.Table`
    """
    import pyarrow

    types = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64()}
    fields = [(name, types[kind]) for name, kind in row_type.__annotations__.items()]
    columns = zip(*rows)
    arrays = list(columns) or [[] for _ in fields]
    return pyarrow.table(
        [pyarrow.array(column, kind) for column, (_, kind) in zip(arrays, fields)],
        schema=pyarrow.schema(fields),
    )


def rows_of(table: Any, row_type: Type[Row]) -> List[Row]:
    """
    Returns the rows of a table as named tuples.

    # Parameters

    table : `pyarrow.Table`
        The table.
    row_type : `Type[Row]`
        Type of the tuples, for each field of which the table has a column.

    # Returns

    `List[Row]`
    """
    names = list(row_type.__annotations__)
    columns = [table.column(name).to_pylist() for name in names]
    return [row_type(*values) for values in zip(*columns)]


def table_bytes(table: Any) -> bytes:
    """
    Returns a table as a Parquet file.

    # Parameters

    table : `pyarrow.Table`
        The table.

    # Returns

    `bytes`
    """
    import pyarrow
    from pyarrow import parquet

    content = pyarrow.BufferOutputStream()
    parquet.write_table(table, content)
    result: bytes = content.getvalue().to_pybytes()
    return result
