"""
The folders of a distributed extraction: its output, and its work until the output is finished.
"""

import json
import os
import shutil
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any, Callable, Iterator, List, Tuple

from allennlp_elmo_plugin.io.atomic import move_file, write_atomically
from allennlp_elmo_plugin.io.file_systems import open_file_system

__all__ = ["Store", "write_to"]


class Store:
    """
    A folder, local or in an object store, whose files appear complete or not at all.

    It can be sent to another process.

    # Parameters

    location : `str`
        Absolute path or URL of the folder.
    """

    def __init__(self, location: str) -> None:
        self.location = location
        self._file_system, self._root = open_file_system(location)

    def __reduce__(self) -> Tuple[Any, ...]:
        return Store, (self.location,)

    @property
    def is_local(self) -> bool:
        """`True` if the folder is on a disk, which may be one that machines share."""
        return "file" in self._file_system.protocol

    def path(self, name: str = "") -> str:
        """
        Returns the path of a file as the file system names it.

        # Parameters

        name : `str`, optional (default = `""`)
            Path of the file in the folder. An empty one is the folder.
        """
        return str(PurePosixPath(self._root, name))

    def make(self) -> None:
        """Makes the folder, if there is none."""
        self._file_system.makedirs(self._root, exist_ok=True)

    def exists(self, name: str = "") -> bool:
        """
        Returns `True` if there is a file or folder of a name.

        # Parameters

        name : `str`, optional (default = `""`)
            Path in the folder. An empty one is the folder.
        """
        # Another process may have made it since it was last looked for.
        self._file_system.invalidate_cache()
        return bool(self._file_system.exists(self.path(name)))

    def names(self, folder: str = "") -> List[str]:
        """
        Returns the names of all files in a folder, in their order.

        # Parameters

        folder : `str`, optional (default = `""`)
            Path of a folder in this one. It may be missing.
        """
        self._file_system.invalidate_cache()
        path = self.path(folder)
        if not self._file_system.exists(path):
            return []
        found = self._file_system.ls(path, detail=True)
        return sorted(
            PurePosixPath(each["name"]).name
            for each in found
            if each["type"] == "file" and each["name"] != path
        )

    def read(self, name: str) -> bytes:
        """
        Returns the content of a file.

        # Parameters

        name : `str`
            Path of the file in the folder.

        # Raises

        `FileNotFoundError`
            If there is none.
        """
        with self._file_system.open(self.path(name), "rb") as file:
            content: bytes = file.read()
            return content

    def open(self, name: str) -> Any:
        """
        Opens a file for reading, at any position.

        # Parameters

        name : `str`
            Path of the file in the folder.

        # Returns

        `BinaryIO`
        """
        return self._file_system.open(self.path(name), "rb")

    def write(self, name: str, content: bytes) -> None:
        """
        Writes a file.

        # Parameters

        name : `str`
            Path of the file in the folder. Its own folder is made if it is missing.
        content : `bytes`
            The content.
        """
        self._file_system.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        if self.is_local:
            with write_atomically(Path(self.path(name))) as partial:
                partial.write_bytes(content)
        else:
            # An object appears when all of it has arrived.
            self._file_system.pipe_file(self.path(name), content)

    def write_json(self, name: str, value: Any) -> None:
        """
        Writes a file in JSON.

        # Parameters

        name : `str`
            Path of the file in the folder.
        value : `Any`
            Value of JSON.
        """
        self.write(name, (json.dumps(value, indent=2) + "\n").encode())

    def read_json(self, name: str) -> Any:
        """
        Reads a file in JSON.

        # Parameters

        name : `str`
            Path of the file in the folder.

        # Returns

        `Any`
            The value, or `None` if there is no file.
        """
        if not self.exists(name):
            return None
        return json.loads(self.read(name))

    def remove(self, name: str = "") -> None:
        """
        Removes a file or a folder with everything in it, if there is one.

        # Parameters

        name : `str`, optional (default = `""`)
            Path in the folder. An empty one is the folder.
        """
        if self.exists(name):
            self._file_system.rm(self.path(name), recursive=True)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """
        Yields a new local folder for files on their way into this one, and removes it afterwards.

        It is on the same disk, if this folder is on one.
        """
        if not self.is_local:
            with TemporaryDirectory() as folder:
                yield Path(folder)
            return
        parent = Path(self.path("scratch"))
        parent.mkdir(parents=True, exist_ok=True)
        made = Path(mkdtemp(dir=parent))
        try:
            yield made
        finally:
            shutil.rmtree(made, ignore_errors=True)

    def publish(self, file: Path, name: str) -> None:
        """
        Moves a finished local file into the folder in one step. One that is there is replaced.

        # Parameters

        file : `Path`
            Path of a file in a `scratch` folder of a store of the same kind.
        name : `str`
            Path in the folder, whose own folder exists.

        # Raises

        `OSError`
            If it cannot be moved.
        """
        if self.is_local:
            move_file(file, Path(self.path(name)))
        else:
            self._file_system.put_file(str(file), self.path(name))

    def arrow_file_system(self) -> Any:
        """Returns the file system as `pyarrow.fs.FileSystem`, which takes the paths of `path`."""
        from pyarrow import fs

        if self.is_local:
            return fs.LocalFileSystem()
        return fs.PyFileSystem(fs.FSSpecHandler(self._file_system))


def write_to(location: str, write: Callable[[Path], List[Path]]) -> List[str]:
    """
    Writes files to a path or URL.

    # Parameters

    location : `str`
        Absolute path or URL of the main file, whose folder exists.
    write : `Callable[[Path], List[Path]]`
        Writes the files to a local path and beside it, and returns the paths of all of them. On a
        disk, it has to make them appear in one step.

    # Returns

    `List[str]`
        Paths or URLs of all files.
    """
    folder, _, name = location.rpartition("/")
    store = Store(folder or "/")
    if store.is_local:
        return [str(path) for path in write(Path(store.path(name)))]
    with store.scratch() as scratch:
        paths = write(scratch / name)
        for path in paths:
            store.publish(path, path.name)
    return [f"{folder}/{path.name}" for path in paths]
