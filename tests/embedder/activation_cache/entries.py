"""Entries of a store that can be told right from wrong, and processes that write them."""

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Iterable, List, Union

import numpy
import pytest

from allennlp_elmo_plugin.embedder.activation_cache.store import ActivationStore
from allennlp_elmo_plugin.io.staging import PREFIX
from tests.support.paths import REPOSITORY

__all__ = [
    "add_file",
    "digest_of",
    "entries_of",
    "files_in",
    "find_right",
    "leftovers_in",
    "layers_of",
    "lengths_of",
    "open_store",
    "size_of",
    "start_process",
    "warnings_in",
]

# Without importing AllenNLP, which takes its time.
CHILD = """
import sys, types
package = types.ModuleType("allennlp_elmo_plugin")
package.__path__ = ["allennlp_elmo_plugin"]
sys.modules["allennlp_elmo_plugin"] = package
from importlib import import_module
module = import_module("tests.embedder.activation_cache." + sys.argv[1])
getattr(module, sys.argv[2])(*sys.argv[3:])
"""


SIZE = 12


def start_process(module: str, function: str, *arguments: str) -> "subprocess.Popen[bytes]":
    """Starts a function of a test module in another process."""
    command = [sys.executable, "-c", CHILD, module, function, *arguments]
    return subprocess.Popen(command, cwd=str(REPOSITORY))


def open_store(folder: Union[str, Path], name: str, **options: Any) -> ActivationStore:
    """Opens a store of rows of twelve numbers in float32."""
    return ActivationStore(folder, name, "float32", SIZE, **options)


def digest_of(number: int, group: int = 0) -> bytes:
    """Returns the digest of an entry."""
    return bytes([group]) + number.to_bytes(15, "big")


def layers_of(digest: bytes) -> numpy.ndarray:
    """Returns the layers of a digest."""
    random = numpy.random.RandomState(list(digest))
    return random.normal(size=(2 + digest[-1] % 5, SIZE)).astype("float32")


def entries_of(numbers: Iterable[int], group: int = 0) -> Dict[bytes, numpy.ndarray]:
    """Returns the layers of entries by digest."""
    return {digest: layers_of(digest) for digest in (digest_of(n, group) for n in numbers)}


def lengths_of(digests: Iterable[bytes]) -> Dict[bytes, int]:
    """Returns the number of tokens of entries by digest."""
    return {digest: len(layers_of(digest)) for digest in digests}


def add_file(store: ActivationStore, numbers: Iterable[int]) -> None:
    """Adds entries in a file of their own."""
    store.add(entries_of(numbers), 1.0)
    store.flush()


def find_right(store: ActivationStore, numbers: Iterable[int], group: int = 0) -> List[int]:
    """Lists the entries that are found, and fails if one of them is not right."""
    digests = {number: digest_of(number, group) for number in numbers}
    found = store.find(lengths_of(digests.values()))
    assert found.keys() <= set(digests.values())
    for digest, layers in found.items():
        expected = layers_of(digest)
        assert (layers.dtype, layers.shape) == (expected.dtype, expected.shape)
        assert layers.tobytes() == expected.tobytes()
    return [number for number, digest in digests.items() if digest in found]


def files_in(folder: Path, ending: str = ".hdf5") -> List[Path]:
    """Lists what has an ending in a folder and its subfolders, without unfinished files."""
    # Unlike `Path.glob`, os.walk accepts that a process at work removes its temporary folders.
    paths = [
        Path(parent, name)
        for parent, folders, files in os.walk(str(folder))
        for name in (*folders, *files)
    ]
    return sorted(path for path in paths if path.suffix == ending and PREFIX not in str(path))


def leftovers_in(folder: Path) -> List[Path]:
    """Lists what unfinished writes have left in a folder and its subfolders."""
    return sorted(folder.glob(f"**/{PREFIX}*"))


def size_of(folder: Path) -> int:
    """Returns the size of all files in a folder."""
    return sum(
        os.path.getsize(os.path.join(parent, name))
        for parent, _, names in os.walk(str(folder))
        for name in names
    )


def warnings_in(caplog: pytest.LogCaptureFixture) -> List[str]:
    """Lists the warnings of a test."""
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
