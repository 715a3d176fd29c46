"""
Reading HDF5 files that may be damaged or crafted.

Whatever comes out of h5py becomes an error that names the file. Each dataset is checked before its
data is read: HDF5 itself would follow links and storage to any file of the machine, read missing
data as zeros, convert other types to floats, and take memory that only the file asks for.
"""

import os
from contextlib import ExitStack, contextmanager
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple, Union

import h5py
import numpy
from allennlp.common.checks import ConfigurationError
from h5py import h5d, h5g, h5l, h5o

from allennlp_elmo_plugin.io.regular_file import require_regular_file
from allennlp_elmo_plugin.weights.stored_dataset import BYTES, FLOATS, StoredDataset

__all__ = ["CheckedHdf5File", "Shapes", "listed"]

Shapes = Mapping[str, Tuple[int, ...]]

MAX_LINKS = 10_000
MAX_DEPTH = 32
MAX_LISTED = 20
MAX_TEXT = 500


class CheckedHdf5File:
    """
    An HDF5 file that is open for reading. Use it as a context manager.

    # Parameters

    path : `Union[str, PathLike]`
        Path of the file.
    contents : `str`
        Contents that are expected, for the errors.

    # Raises

    `ConfigurationError`
        If the file is not a regular file, is not an HDF5 file, is damaged, or holds thousands of
        objects.
    """

    def __init__(self, path: Union[str, "os.PathLike[str]"], contents: str) -> None:
        self._path = path
        self._contents = contents
        self._size = require_regular_file(path, contents + " in HDF5")
        with ExitStack() as opened, self._explained_errors():
            self._raw = opened.enter_context(open(path, "rb", buffering=0))
            self._file = opened.enter_context(h5py.File(path, "r"))
            self._datasets, self._links = _find_datasets(self._file.id)
            self._opened = opened.pop_all()

    def __enter__(self) -> "CheckedHdf5File":
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file."""
        with self._explained_errors():
            self._opened.close()

    @property
    def names(self) -> List[str]:
        """Names of all datasets, in order."""
        return sorted(self._datasets)

    def shape(self, name: str) -> Optional[Tuple[int, ...]]:
        """
        Returns the shape of a dataset.

        # Parameters

        name : `str`
            Name of a dataset in the file.

        # Returns

        `Optional[Tuple[int, ...]]`
            The shape, or `None` if the dataset holds no array of its own.
        """
        return self._stored(name).shape

    def problems(self, expected: Shapes) -> List[str]:
        """
        Describes every dataset that is missing, cannot be read, or has another shape than expected.

        # Parameters

        expected : `Mapping[str, Tuple[int, ...]]`
            Shapes of the datasets by name.

        # Returns

        `List[str]`
            One line for each such dataset.
        """
        missing, unreadable, mis_shaped = [], [], []
        for name, shape in expected.items():
            if name not in self._datasets:
                found = f", got {self._links[name]}" if name in self._links else ""
                missing.append(f"missing: {name}, expected shape {shape}{found}")
                continue
            found_shape = self.shape(name)
            if found_shape not in (None, shape):
                mis_shaped.append(f"mis-shaped: {name}, expected {shape}, got {found_shape}")
                continue
            with self._explained_errors(name):
                problem = self._stored(name).problem()
            if problem:
                unreadable.append(f"unreadable: {name}, {problem}")
        return missing + mis_shaped + unreadable

    def read(self, name: str) -> numpy.ndarray:
        """
        Reads a dataset in which `problems` found none.

        # Parameters

        name : `str`
            Name of the dataset.

        # Returns

        `numpy.ndarray`
            The whole dataset, float in the machine's own byte order. Each number is finite, also
            as a float32.

        # Raises

        `ConfigurationError`
            If the data is damaged or a number is not finite.
        """
        with self._explained_errors(name):
            return self._stored(name).read(self._raw)

    def read_text(self, name: str) -> str:
        """
        Reads a text, which is stored as the bytes of its UTF-8 form.

        # Parameters

        name : `str`
            Name of a dataset of uint8 with one axis.

        # Returns

        `str`
            The text.

        # Raises

        `ConfigurationError`
            If there is no such dataset, or if it is damaged or not in UTF-8.
        """
        with self._explained_errors(name):
            if name not in self._datasets:
                raise ValueError("expected a text in UTF-8, got no dataset of this name")
            stored = self._stored(name, BYTES)
            problem = stored.problem()
            if problem is not None:
                raise ValueError(problem)
            return stored.read(self._raw).tobytes().decode("utf-8")

    def _stored(self, name: str, dtypes: Tuple[numpy.dtype, ...] = FLOATS) -> StoredDataset:
        with self._explained_errors(name):
            dataset = self._datasets[name]
            return StoredDataset(dataset, self._size, self._file.userblock_size, dtypes)

    @contextmanager
    def _explained_errors(self, name: Optional[str] = None) -> Iterator[None]:
        """Turns every error into one that names the file."""
        try:
            yield
        except ConfigurationError:
            raise
        except Exception as error:
            place = f", dataset '{name}'," if name else ""
            text = str(error) if isinstance(error, (OSError, ValueError)) else repr(error)
            raise ConfigurationError(
                f"Expected {self._contents} in an HDF5 file, but '{self._path}'{place} cannot be "
                f"read ({text[:MAX_TEXT]}). Check that it is the right file and was downloaded "
                "completely."
            ) from error


def listed(lines: List[str]) -> str:
    """
    Joins the first lines of a list for an error message.

    # Parameters

    lines : `List[str]`
        Any number of lines.

    # Returns

    `str`
        The first lines, indented, each of bounded length, and the number of the others.
    """
    shown = [line[:MAX_TEXT] for line in lines[:MAX_LISTED]]
    if len(lines) > MAX_LISTED:
        shown.append(f"and {len(lines) - MAX_LISTED} more")
    return "\n  ".join(shown)


def _find_datasets(root: h5g.GroupID) -> Tuple[Dict[str, h5d.DatasetID], Dict[str, str]]:
    """
    Returns the datasets below a group, and what lies under the names of no dataset or group.

    Each group is visited once, so hard links may form a cycle. Other links are not followed.
    """
    datasets: Dict[str, h5d.DatasetID] = {}
    others: Dict[str, str] = {}
    groups, visited, budget = [("", root, 0)], {h5o.get_info(root).addr}, MAX_LINKS
    while groups:
        prefix, group, depth = groups.pop()
        links = _link_names(group, budget)
        budget -= len(links)
        for link in links:
            name = prefix + link.decode("utf-8", "backslashreplace")
            if group.links.get_info(link).type != h5l.TYPE_HARD:
                others[name] = "a link to another name or file"
                continue
            item = h5o.open(group, link)
            if isinstance(item, h5d.DatasetID):
                datasets[name] = item
            elif not isinstance(item, h5g.GroupID):
                others[name] = "a data type"
            elif h5o.get_info(item).addr not in visited:
                visited.add(h5o.get_info(item).addr)
                groups.append((name + "/", item, depth + 1))
        if depth > MAX_DEPTH:
            raise ValueError(f"groups are nested deeper than {MAX_DEPTH} levels")
    return datasets, others


def _link_names(group: h5g.GroupID, budget: int) -> List[bytes]:
    names: List[bytes] = []

    def visit(name: bytes) -> Optional[bool]:
        names.append(name)
        return True if len(names) > budget else None

    group.links.iterate(visit)
    if len(names) > budget:
        raise ValueError(f"it holds more than {MAX_LINKS} groups and datasets")
    return names
