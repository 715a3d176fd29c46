"""
Gathering the tables of shards into the files that one process writes.
"""

from pathlib import Path
from typing import Any, BinaryIO, Callable, Iterator, List, Sequence, Tuple

import numpy
from allennlp.common import Tqdm
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.extraction.occurrences import Occurrences
from allennlp_elmo_plugin.extraction.outputs.arrow import import_pyarrow
from allennlp_elmo_plugin.extraction.word2vec import write_mean_vectors
from allennlp_elmo_plugin.io.disk_errors import disk_error
from allennlp_elmo_plugin.io.staging import NEW, staging_folder

__all__ = ["gather_targets", "gather_types"]

OpenFile = Callable[[str], BinaryIO]


def gather_targets(
    paths: Sequence[str],
    open_file: OpenFile,
    words: Sequence[str],
    row_shape: Tuple[int, ...],
    dtype: str,
    output: Path,
) -> None:
    """
    Gathers the tables of an `OccurrencesTask` into the two files that a `TargetsTask` writes.

    The vectors go through a temporary file beside the output. The place of each occurrence and its
    row in that file are in memory.

    # Parameters

    paths : `Sequence[str]`
        Paths of the tables, in the order of the text.
    open_file : `Callable[[str], BinaryIO]`
        Function that opens one of them for reading.
    words : `Sequence[str]`
        The words of the tasks.
    row_shape : `Tuple[int, ...]`
        Shape of the vectors of an occurrence: (layers, dim), or (dim,) without layers.
    dtype : `str`
        `"float32"` or `"float16"`.
    output : `Path`
        Path of the `.npz`. The JSON file has the same name and `.json`.

    # Raises

    `ConfigurationError`
        If a table cannot be read, or is another one.
    `OSError`
        If the files cannot be written, for example because the disk is full.
    """
    words = list(dict.fromkeys(words))
    occurrences = Occurrences(words)
    columns = ["word", "id", "position", "vectors"]
    folder = output.absolute().parent
    with staging_folder(folder) as staging, open(staging / NEW / "vectors", "w+b") as file:
        for path, batch in _read_tables(paths, open_file, columns):
            vectors = _array(path, batch.column(3), row_shape, dtype)
            for number, key, position in zip(*(each.to_pylist() for each in batch.columns[:3])):
                occurrences.add(words[number], key, position)
            try:
                file.write(vectors.data)
                file.flush()
            except OSError as error:
                raise disk_error(error, output, ", so nothing was written.") from error
        occurrences.write(output, file, row_shape, dtype)


def gather_types(
    paths: Sequence[str], open_file: OpenFile, words: Sequence[str], dim: int, output: Path
) -> None:
    """
    Gathers the tables of a `WordSumsTask` into the file that a `WordTypesTask` writes.

    The sums of the shards are added in float64, in their order. They are in memory: 8 bytes for
    each number of the file.

    # Parameters

    paths : `Sequence[str]`
        Paths of the tables, in the order of the text.
    open_file : `Callable[[str], BinaryIO]`
        Function that opens one of them for reading.
    words : `Sequence[str]`
        The words by their numbers.
    dim : `int`
        Size of a vector.
    output : `Path`
        Path of the file: `.txt` or `.vec` for word2vec's text format, `.bin` for its binary one.

    # Raises

    `ConfigurationError`
        If a table cannot be read, or is another one.
    `OSError`
        If the file cannot be written, for example because the disk is full.
    """
    sums = numpy.zeros((len(words), dim))
    for path, batch in _read_tables(paths, open_file, ["word", "count", "sum"]):
        # A word has one row in the table of a shard.
        sums[batch.column(0).to_numpy()] += _array(path, batch.column(2), (dim,), "float64")
    write_mean_vectors(output, words, sums)


def _read_tables(
    paths: Sequence[str], open_file: OpenFile, columns: List[str]
) -> Iterator[Tuple[str, Any]]:
    """Yields the path of each table with each of its record batches, as they were written."""
    arrow = import_pyarrow()
    from pyarrow import parquet

    for path in Tqdm.tqdm(paths, desc="gathering", unit=" shards"):
        with open_file(path) as file:
            try:
                table = parquet.ParquetFile(file)
                if table.schema_arrow.names != columns:
                    raise _wrong_table(path, columns, table.schema_arrow.names)
                for number in range(table.num_row_groups):
                    for batch in table.read_row_group(number).to_batches():
                        yield path, batch
            except (arrow.ArrowException, OSError) as error:
                raise ConfigurationError(
                    f"Expected the finished table of a shard in '{path}', but it cannot be read "
                    f"({error}). Try again, or delete the unfinished work and begin again."
                ) from error


def _array(path: str, lists: Any, row_shape: Tuple[int, ...], dtype: str) -> numpy.ndarray:
    """Returns the numbers of nested lists: (rows, *row_shape)."""
    numbers = lists
    for _ in row_shape:
        numbers = numbers.flatten()
    array = numbers.to_numpy()
    if array.dtype != dtype or array.size != len(lists) * numpy.prod(row_shape, dtype=int):
        found = f"{array.size} numbers of {array.dtype} in {len(lists)} rows"
        raise _wrong_table(path, f"{row_shape} numbers of {dtype} in a row", found)
    return array.reshape(len(lists), *row_shape)


def _wrong_table(path: str, expected: Any, found: Any) -> ConfigurationError:
    return ConfigurationError(
        f"Expected {expected} in the table of a shard '{path}', found {found}. Gather the tables "
        "of the same model and the same options."
    )
