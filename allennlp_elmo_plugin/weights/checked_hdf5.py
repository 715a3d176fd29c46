"""
Reading HDF5 files that may be damaged or crafted.

Whatever comes out of h5py becomes an error that names the file. Each dataset is checked before its
data is read: HDF5 itself would follow links and storage to any file of the machine, read missing
data as zeros, convert other types to floats, and take memory that only the file asks for.
"""

import os
from contextlib import ExitStack, contextmanager
from typing import Dict, Iterator, List, Optional, Tuple, Union

import h5py
import numpy
from allennlp.common.checks import ConfigurationError
from h5py import h5d, h5g, h5l, h5o
from overrides import overrides

from allennlp_elmo_plugin.io.regular_file import require_regular_file
from allennlp_elmo_plugin.weights.dataset_file import DatasetFile
from allennlp_elmo_plugin.weights.stored_dataset import BYTES, FLOATS, StoredDataset

__all__ = ["CheckedHdf5File"]

MAX_LINKS = 10_000
MAX_DEPTH = 32
MAX_TEXT = 500


class CheckedHdf5File(DatasetFile):
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

    remedy = "Write unreadable datasets anew, as h5py's 'create_dataset' does by default."

    @property
    @overrides
    def names(self) -> List[str]:
        return sorted(self._datasets)

    def __contains__(self, name: object) -> bool:
        return name in self._datasets

    @overrides
    def shape(self, name: str) -> Optional[Tuple[int, ...]]:
        return self._stored(name).shape

    @overrides
    def problem(self, name: str) -> Optional[str]:
        with self._explained_errors(name):
            return self._stored(name).problem()

    @overrides
    def read(self, name: str) -> numpy.ndarray:
        with self._explained_errors(name):
            return self._stored(name).read(self._raw)

    @overrides
    def close(self) -> None:
        with self._explained_errors():
            self._opened.close()

    @overrides
    def found_instead(self, name: str) -> str:
        return self._links.get(name, "")

    @overrides
    def read_text(self, name: str) -> str:
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
