"""
Arrow's arrays and Parquet's files, of the package pyarrow, which is imported when it is needed.
"""

from pathlib import Path
from typing import Any, Iterable

import numpy
from allennlp.common.checks import ConfigurationError

__all__ = ["import_pyarrow", "nested_lists", "nested_type", "require_float16", "write_parquet"]

MAX_NUMBERS = (1 << 31) - 1
"""Most numbers of a list of Arrow, whose offsets are int32."""


def import_pyarrow() -> Any:
    """
    Imports pyarrow with what reads and writes Parquet.

    # Returns

    `Any`
        The package.

    # Raises

    `ConfigurationError`
        If it is not installed.
    """
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise ConfigurationError(
            f"Parquet files need the package pyarrow, which cannot be imported ({error}). Install "
            "it: pip install 'allennlp_elmo_plugin[parquet]'. Or choose another ending."
        ) from error
    return pyarrow


def nested_type(arrow: Any, dtype: str, rank: int) -> Any:
    """
    Returns the type of Arrow for arrays of NumPy.

    # Parameters

    arrow : `Any`
        The package.
    dtype : `str`
        Type of the numbers.
    rank : `int`
        The number of axes, and so of lists in each other.

    # Returns

    `Any`
    """
    result = arrow.from_numpy_dtype(numpy.dtype(dtype))
    for _ in range(rank):
        result = arrow.list_(result)
    return result


def nested_lists(arrow: Any, arrays: Iterable[numpy.ndarray]) -> Any:
    """
    Returns an array of Arrow with an entry for each array of NumPy.

    # Parameters

    arrow : `Any`
        The package.
    arrays : `Iterable[numpy.ndarray]`
        One or more arrays, all of the same rank and type.

    # Returns

    `Any`

    # Raises

    `ConfigurationError`
        If they have more numbers than a list of Arrow.
    """
    arrays = list(arrays)
    if sum(array.size for array in arrays) > MAX_NUMBERS:
        raise ConfigurationError(
            f"Expected a sentence of at most {MAX_NUMBERS} numbers, which is what a list of Arrow "
            "can hold. Split the sentence, or choose another format."
        )
    result = arrow.array(numpy.concatenate([array.ravel() for array in arrays]))
    for axis in reversed(range(arrays[0].ndim)):
        lengths = numpy.concatenate(
            [numpy.full(array.shape[:axis], array.shape[axis]).ravel() for array in arrays]
        )
        offsets = numpy.concatenate([[0], numpy.cumsum(lengths)])
        result = arrow.ListArray.from_arrays(arrow.array(offsets, arrow.int32()), result)
    return result


def require_float16(arrow: Any, dtype: str) -> None:
    """
    Checks that Parquet files can hold a type, by trying it, since that depends on the version.

    # Parameters

    arrow : `Any`
        The package.
    dtype : `str`
        `"float32"` or `"float16"`.

    # Raises

    `ConfigurationError`
        If this version of pyarrow writes none.
    """
    from pyarrow import parquet

    table = arrow.table({"vectors": arrow.array(numpy.zeros(1, dtype))})
    try:
        parquet.write_table(table, arrow.BufferOutputStream())
    except arrow.ArrowNotImplementedError as error:
        raise ConfigurationError(
            f"This version of pyarrow, {arrow.__version__}, writes no {dtype} to Parquet files "
            f"({error}). Install 15 or later, or choose float32."
        ) from error


def write_parquet(path: Path, schema: Any, batches: Iterable[Any]) -> None:
    """
    Writes a Parquet file with a row group for each record batch.

    # Parameters

    path : `Path`
        Path of the file.
    schema : `Any`
        Names and types of the columns.
    batches : `Iterable[Any]`
        The record batches.

    # Raises

    `OSError`
        If the file cannot be written, for example because the disk is full.
    """
    from pyarrow import parquet

    # Neighbouring numbers are all different, so no encoding makes them smaller.
    with parquet.ParquetWriter(
        str(path), schema, use_dictionary=False, compression="none"
    ) as writer:
        for batch in batches:
            writer.write_batch(batch)
