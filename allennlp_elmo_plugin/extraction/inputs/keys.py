"""
Checking that the keys of sentences can name datasets of one HDF5 file.

HDF5 takes a key for a path: `a/b` is the dataset `b` in the group `a`.
"""

from array import array
from hashlib import blake2b
from typing import Dict, Iterable, Iterator, List, Optional, Set, Tuple

import numpy
from allennlp.common.checks import ConfigurationError

__all__ = ["KeyIndex", "find_clashes", "require_key"]

INDEX_DATASET = "sentence_to_index"
"""Name of the dataset with the keys of all sentences, beside those of the sentences."""


MAX_SHOWN = 60
"""Length to which errors cut a key."""


def require_key(key: str, location: str) -> None:
    """
    Checks that HDF5 can name a dataset by a key.

    # Parameters

    key : `str`
        The key.
    location : `str`
        File and line of the sentence.

    # Raises

    `ConfigurationError`
        If HDF5 would refuse the key or change it.
    """
    fault = _fault(key)
    if fault is not None:
        raise ConfigurationError(
            f"{location}: expected a key that can name a dataset in HDF5, but {_shown(key)} "
            f"{fault}. Change the sentence's id or text, or take the numbers of the sentences for "
            "keys."
        )


def _fault(key: str) -> Optional[str]:
    """Returns why HDF5 cannot name a dataset by the key, or `None` if it can."""
    if not key:
        return "is empty"
    # HDF5 would cut the name off there.
    if "\0" in key:
        return "has a NUL character"
    if key.endswith("/"):
        return "ends in '/'"
    names = _names(key)
    if "." in names:
        return "has '.' as the name of a group or dataset"
    if names[0] == INDEX_DATASET:
        return f"is the name of the dataset '{INDEX_DATASET}'"
    return None


class KeyIndex:
    """
    An index of keys in which clashes are found: equal keys, and a key that is a group of another.

    It holds 8 bytes for each key and for each `/` in it, so it finds suspects. Different keys may
    share these bytes, and `find_clashes` tells.
    """

    def __init__(self) -> None:
        self._datasets = array("Q")
        self._groups = array("Q")

    def add(self, key: str) -> None:
        """
        Adds a key.

        # Parameters

        key : `str`
            Key without a fault.
        """
        *groups, dataset = _digests(key)
        self._datasets.append(dataset)
        self._groups.extend(groups)

    def suspects(self) -> List[int]:
        """
        Returns digests that two or more keys share.

        # Returns

        `List[int]`
            Digests of paths, in the order of the keys.
        """
        datasets = numpy.asarray(self._datasets, dtype=numpy.uint64)
        order = numpy.argsort(datasets, kind="stable")
        is_repeated = numpy.zeros(len(order), dtype=bool)
        is_repeated[order[1:]] = datasets[order[1:]] == datasets[order[:-1]]
        is_repeated |= numpy.isin(datasets, numpy.asarray(self._groups, dtype=numpy.uint64))
        return list(dict.fromkeys(datasets[is_repeated].tolist()))


def find_clashes(keys: Iterable[Tuple[str, int]], suspects: Iterable[int]) -> Iterator[str]:
    """
    Finds the keys that clash among those with some digests.

    # Parameters

    keys : `Iterable[Tuple[str, int]]`
        All keys with their lines.
    suspects : `Iterable[int]`
        Digests from `KeyIndex.suspects`.

    # Returns

    `Iterator[str]`
        A description of each clash.
    """
    wanted = set(suspects)
    # The key and the line that first made a path a dataset or a group.
    datasets: Dict[str, Tuple[str, int]] = {}
    groups: Dict[str, Tuple[str, int]] = {}
    for key, line in keys:
        *parents, path = _suspected_paths(key, wanted)
        if path is not None:
            if path in datasets:
                yield _clash(key, line, *datasets[path])
            elif path in groups:
                yield _clash(key, line, *groups[path])
            datasets.setdefault(path, (key, line))
        for parent in parents:
            if parent is not None:
                if parent in datasets:
                    yield _clash(key, line, *datasets[parent])
                groups.setdefault(parent, (key, line))


def _suspected_paths(key: str, wanted: Set[int]) -> List[Optional[str]]:
    """Returns the paths of a key's groups and of its dataset, each `None` if it is not wanted."""
    names = _names(key)
    return [
        "/".join(names[: depth + 1]) if digest in wanted else None
        for depth, digest in enumerate(_digests(key))
    ]


def _clash(key: str, line: int, other_key: str, other_line: int) -> str:
    return f"{_shown(other_key)} in line {other_line} and {_shown(key)} in line {line}"


def _shown(key: str) -> str:
    return repr(key if len(key) <= MAX_SHOWN else key[:MAX_SHOWN] + "...")


def _names(key: str) -> List[str]:
    """Returns the names in a path. For HDF5, several `/` are one, and one in front is none."""
    return [name for name in key.split("/") if name]


def _digests(key: str) -> Iterator[int]:
    """Yields a digest of 8 bytes for the path of each group, and for that of the dataset."""
    digest = blake2b(digest_size=8)
    for name in _names(key):
        digest.update(name.encode("utf-8") + b"/")
        yield int.from_bytes(digest.digest(), "little")
