"""
Comparison of the files of an extraction with those of one that ran through.
"""

import zipfile
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

import h5py
import numpy

from reliability.kills.extractions import Extraction

__all__ = ["OLDER", "OutputWatch", "differences"]

OLDER = b"a file of an earlier run\n"
"""Content of a file that the output replaces."""


def differences(expected: Path, found: Path) -> List[str]:
    """
    Compares two files, array by array, to the bit.

    A folder stands for the rows of all its Parquet files, in the order of their names.

    # Parameters

    expected, found : `Path`
        Paths of files with the same ending, or of a Parquet file and a folder.

    # Returns

    `List[str]`
        A description of each difference.
    """
    if not found.exists():
        return [f"{found.name} is missing"]
    try:
        contents = [_read(path) for path in (expected, found)]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        return [f"{found.name} cannot be read: {error}"]
    if list(contents[0]) != list(contents[1]):
        return [f"{found.name} has {len(contents[1])} names in place of {len(contents[0])}"]
    return [
        f"{name or 'the content'} of {found.name} differs"
        for name, content in contents[0].items()
        if contents[1][name] != content
    ]


class OutputWatch:
    """
    A look at the final names of an extraction while it runs.

    At any moment, a name stands for the file of an earlier run or for the complete new one. While
    an output of several files is exchanged, they may be missing.

    # Parameters

    extraction : `Extraction`
        The extraction.
    expected : `Extraction`
        One that ran through, into another folder.
    """

    def __init__(self, extraction: Extraction, expected: Extraction) -> None:
        self.problems: List[str] = []
        self._paths, self._expected = extraction.paths, expected.paths
        self._has_older = self._paths[-1].exists()
        self._last: Any = None

    def look(self) -> None:
        """Checks the files, if one of them has changed since the last time."""
        # The new array comes last, so it is looked at last.
        stamps = [_stamp(path) for path in self._paths]
        if stamps == self._last:
            return
        self._last = stamps
        states = [self._state(*paths) for paths in zip(self._paths, self._expected)]
        if "older" in states and "new" in states[: states.index("older")]:
            self.problems.append("an array of an earlier run stood beside places of this one")
        if "missing" in states and self._has_older and len(states) == 1:
            self.problems.append("the file of an earlier run was gone before the new one came")

    def _state(self, path: Path, expected: Path) -> str:
        try:
            with open(path, "rb") as file:
                start = file.read(len(OLDER) + 1)
        except FileNotFoundError:
            return "missing"
        if start == OLDER:
            return "older"
        self.problems += [f"while it ran: {each}" for each in differences(expected, path)]
        return "new"


def _stamp(path: Path) -> Optional[Sequence[int]]:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return (status.st_ino, status.st_size, status.st_mtime_ns)


def _read(path: Path) -> Dict[str, Any]:
    """Returns what is in a file, by name; values are equal if all their bits are."""
    if path.suffix in (".hdf5", ".h5"):
        return _read_hdf5(path)
    if path.suffix == ".npz":
        with numpy.load(path) as file:
            return {name: _bits(array) for name, array in file.items()}
    if path.suffix == ".parquet" or path.is_dir():
        from pyarrow import parquet

        return {"": parquet.read_table(path)}
    return {"": path.read_bytes()}


def _read_hdf5(path: Path) -> Dict[str, Any]:
    found: Dict[str, Any] = {}

    def add(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            is_text = h5py.check_string_dtype(item.dtype) is not None
            found[name] = item[0] if is_text else _bits(item[()])

    with h5py.File(path, "r") as file:
        file.visititems(add)
    return found


def _bits(array: numpy.ndarray) -> Any:
    return array.dtype.str, array.shape, array.tobytes()
