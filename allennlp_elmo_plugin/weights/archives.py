"""
Extracting some files of a zip or tar into AllenNLP's cache.

Only the files that are needed are extracted, so the other members can neither fill the disk nor
land outside the cache. They appear there when all of them are complete.
"""

import bz2
import gzip
import hashlib
import lzma
import os
import shutil
import tarfile
import zipfile
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path, PurePath
from typing import IO, Any, Callable, ContextManager, Dict, Iterator, NamedTuple, Sequence, Union

from allennlp.common import file_utils

from allennlp_elmo_plugin.io.atomic import write_atomically

__all__ = ["Member", "archive_members", "cache_folder", "extract", "is_archive"]

MAX_MEMBERS = 10_000
MAX_RATIO = 20
"""Largest ratio of the extracted size to the archive's, above `SMALL_SIZE`."""
SMALL_SIZE = 64 << 20
"""In bytes."""
MAX_READ = 16 << 20
"""In bytes. `tarfile` reads names and comments of any length into memory."""

DECOMPRESSORS: Dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}


class Member(NamedTuple):
    """
    A file in a zip or tar.

    # Parameters

    name : `PurePath`
        Name of the file.
    size : `int`
        Size when extracted, in bytes.
    open : `Callable[[], IO[bytes]]`
        Opens the file for reading.
    """

    name: PurePath
    size: int
    open: Callable[[], IO[bytes]]


def is_archive(path: Path) -> bool:
    """
    Returns `True` for a zip or a tar, compressed or not.

    # Parameters

    path : `Path`
        Path of a regular file.
    """
    if zipfile.is_zipfile(path):
        return True
    try:
        with _opened_tar(path) as tar:
            # Zeros, such as an HDF5 file may begin with, look like a tar without members.
            return next(iter(tar), None) is not None
    except tarfile.ReadError:
        return False


def cache_folder(path: Path, member: str) -> Path:
    """
    Returns the folder of the cache for what is extracted from a zip or tar.

    # Parameters

    path : `Path`
        Path of the zip or tar. If it changes, so does the folder.
    member : `str`
        Name of the only file to extract, or `""`.
    """
    found = os.stat(path)
    key = f"{path.resolve()}\n{found.st_mtime_ns}\n{found.st_size}\n{member}"
    return Path(file_utils.CACHE_DIRECTORY) / "elmo" / hashlib.sha256(key.encode()).hexdigest()


@contextmanager
def archive_members(path: Path) -> Iterator[Iterator[Member]]:
    """
    Opens a zip or tar and yields an iterator over its files.

    # Parameters

    path : `Path`
        Path of the zip or tar.

    # Raises

    `ValueError`
        If it holds more than 10,000 members or is extracted to much more than its own size. Damage
        raises exceptions of other kinds as well.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield _zip_members(archive, _largest_size(path))
    else:
        with _opened_tar(path) as tar:
            yield _tar_members(tar)


def extract(members: Sequence[Member], main: PurePath, folder: Path) -> None:
    """
    Extracts files, all of them or none.

    # Parameters

    members : `Sequence[Member]`
        The files, of a zip or tar that is open.
    main : `PurePath`
        Name of the file that appears last: where it is, the others are.
    folder : `Path`
        Folder for them, made if it is missing. The files keep their names, folders included. Those
        that are there already stay.

    # Raises

    `ValueError`
        If a name leads out of the folder, or if the disk has too little space.
    """
    members = [member for member in members if not (folder / member.name).is_file()]
    _require_space(members, folder)
    with ExitStack() as stack:
        # A stack is left from its end, so what is entered first appears last.
        partial_paths = {
            member.name: stack.enter_context(_written(folder / member.name))
            for member in sorted(members, key=lambda member: member.name != main)
        }
        # A compressed tar is read from its start for each step back.
        for member in members:
            _copy(member, partial_paths[member.name])


def _require_space(members: Sequence[Member], folder: Path) -> None:
    for member in members:
        if member.name.is_absolute() or ".." in member.name.parts:
            raise ValueError(f"'{member.name}' would lie outside")
    folder.mkdir(parents=True, exist_ok=True)
    needed, free = sum(member.size for member in members), shutil.disk_usage(folder).free
    if needed > free:
        names = ", ".join(str(member.name) for member in members)
        raise ValueError(f"{names} need {needed} bytes, '{folder}' has {free}")


def _written(target: Path) -> ContextManager[Path]:
    target.parent.mkdir(parents=True, exist_ok=True)
    return write_atomically(target)


def _copy(member: Member, path: Path) -> None:
    with member.open() as archive, open(path, "wb") as extracted:
        shutil.copyfileobj(archive, extracted, 1 << 20)
    if path.stat().st_size != member.size:
        raise ValueError(f"'{member.name}' is cut off")


def _largest_size(path: Path) -> int:
    return max(SMALL_SIZE, MAX_RATIO * os.stat(path).st_size)


def _zip_members(archive: zipfile.ZipFile, largest: int) -> Iterator[Member]:
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise ValueError(f"it holds more than {MAX_MEMBERS} members")
    for info in members:
        if info.is_dir():
            continue
        yield Member(
            PurePath(info.filename),
            info.file_size,
            partial(_open_in_zip, archive, info, largest),
        )


def _open_in_zip(archive: zipfile.ZipFile, info: zipfile.ZipInfo, largest: int) -> IO[bytes]:
    if info.flag_bits & 1:
        raise ValueError(f"'{info.filename}' is encrypted")
    if info.file_size > largest:
        raise ValueError(f"'{info.filename}' is extracted to {info.file_size} bytes")
    return archive.open(info)


def _tar_members(tar: tarfile.TarFile) -> Iterator[Member]:
    for count, info in enumerate(tar):
        if count == MAX_MEMBERS:
            raise ValueError(f"it holds more than {MAX_MEMBERS} members")
        if not info.isdir():
            yield Member(PurePath(info.name), info.size, partial(_open_in_tar, tar, info))


def _open_in_tar(tar: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    if not info.isreg():
        raise ValueError(f"'{info.name}' is a link or device")
    file = tar.extractfile(info)
    assert file is not None  # A regular file has content.
    return file


@contextmanager
def _opened_tar(path: Path) -> Iterator[tarfile.TarFile]:
    with open(path, "rb") as file:
        start = file.read(6)
    openers = [opener for magic, opener in DECOMPRESSORS.items() if start.startswith(magic)]
    with (openers or [open])[0](path, "rb") as content:
        bounded: Any = _BoundedFile(content, _largest_size(path))
        with tarfile.open(fileobj=bounded, mode="r:") as tar:
            yield tar


class _BoundedFile:
    """A file that refuses to be read in large pieces or beyond a size."""

    def __init__(self, file: Union[IO[bytes], Any], largest: int) -> None:
        self._file = file
        self._largest = largest
        self.tell = file.tell

    def read(self, size: int) -> bytes:
        if not 0 <= size <= MAX_READ:
            raise ValueError(f"it holds a name or comment of {size} bytes")
        return self._file.read(size)

    def seek(self, position: int) -> int:
        if position > self._largest:
            raise ValueError(f"it is extracted to more than {self._largest} bytes")
        return self._file.seek(position)
