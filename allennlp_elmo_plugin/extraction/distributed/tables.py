"""
Tables of Arrow with a column for each field of a named tuple.
"""

from typing import Any, Iterable, List, Type, TypeVar

__all__ = ["read_tables", "rows_of", "table_bytes", "table_of"]

Row = TypeVar("Row")

NUM_FILES_TOGETHER = 500
"""Arrow keeps facts on each file that it reads at one time, 40 KB of a small one."""


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


def read_tables(folder: str, file_system: Any) -> Any:
    """
    Reads all Parquet files of a folder as one table.

    # Parameters

    folder : `str`
        Path of the folder. It may be missing.
    file_system : `pyarrow.fs.FileSystem`
        The file system of the folder.

    # Returns

    `pyarrow.Table`
        The rows in the order of the names, or `None` if there is no file.
    """
    import pyarrow
    from pyarrow import dataset, fs

    found = file_system.get_file_info(fs.FileSelector(folder, allow_not_found=True))
    paths = sorted(each.path for each in found if each.type == fs.FileType.File)
    tables = []
    for start in range(0, len(paths), NUM_FILES_TOGETHER):
        some = paths[start : start + NUM_FILES_TOGETHER]
        files = dataset.dataset(some, format="parquet", filesystem=file_system)
        tables.append(files.to_table().combine_chunks())
    return pyarrow.concat_tables(tables) if tables else None
