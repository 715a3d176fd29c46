"""
A file whose last commit survives a kill at any moment, and a power cut.
"""

import errno
import io
import os
from io import FileIO
from pathlib import Path
from typing import Any, Dict, Optional, Union

from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.io.atomic import move_file
from allennlp_elmo_plugin.io.disk_errors import disk_error
from allennlp_elmo_plugin.io.journal import Journal, read_journal, write_journal
from allennlp_elmo_plugin.io.shadow_pages import PAGE_SIZE, ShadowPages
from allennlp_elmo_plugin.io.staging import lock_file

__all__ = ["JournaledFile"]

ZEROS = bytes(1 << 16)
NOTHING = Journal(None, 0, 0, (0, 0), ())


class JournaledFile(io.RawIOBase):
    """
    A binary file that returns to its last commit when it is opened again.

    Bytes behind the committed ones go straight to the disk. Changes of committed bytes wait in
    memory, where reading finds them. `commit` syncs the file, writes a journal with these changes
    beside it, and then makes them; renaming the journal is the moment of the commit. Opening the
    file cuts off what came after the commit, and makes the changes of the journal once more.

    After an error the file can only be closed. What was committed is intact, and opening the file
    again goes on from there.

    # Parameters

    path : `Path`
        Path of the file, which is made if it is missing. Its journal has the same name and
        `.journal`.

    # Raises

    `ConfigurationError`
        If the file or its journal is damaged.
    `BlockingIOError`
        If another process has opened it.
    `FileNotFoundError`
        If the file was moved away, and only its journal is left.
    `OSError`
        If the disk has an error. The message names the file.
    """

    error: Optional[BaseException] = None
    """The first error, or `None`."""
    record: Optional[Dict[str, Any]] = None
    """The record of the last commit, or `None` if there is none."""
    is_patient: bool = False
    """
    If `True`, writing and truncating keep an error for `raise_error`, and from then on all writes
    stay in memory. HDF5 may end the whole process when a write fails, so it must not see one.
    """

    _length: int
    _committed_length: int
    # Bytes from here on go straight to the disk.
    _direct_from: int
    # Bytes of the disk from here on, as far as they wait in memory, count as zeros.
    _zeros_from: int
    _pages: ShadowPages

    def __init__(self, path: Union[str, "os.PathLike[str]"]) -> None:
        super().__init__()
        self.name = str(path)
        self.mode = "rb+"
        self._path = Path(path)
        self._disk: Optional[FileIO] = None
        self._lock: Optional[int] = None
        self._position = 0
        self._begin(NOTHING)
        try:
            self._open()
        except BaseException as error:
            self.close()
            if isinstance(error, (BlockingIOError, FileNotFoundError)):
                raise
            raise self._explained(error) from error

    @classmethod
    def is_moved(cls, path: Path) -> bool:
        """
        Returns `True` if a file was moved away or removed, and its journal is still there.

        # Parameters

        path : `Path`
            Path of the file as it was.
        """
        return not path.exists() and _journal_path(path).exists()

    @classmethod
    def last_record(cls, path: Path) -> Optional[Dict[str, Any]]:
        """
        Returns the record of a file's last commit, also after the file was moved away.

        # Parameters

        path : `Path`
            Path of the file as it was.

        # Returns

        `Optional[Dict[str, Any]]`
            The record, or `None` if there is no commit.

        # Raises

        `ConfigurationError`
            If the journal is damaged.
        """
        journal = read_journal(_journal_path(path))
        return None if journal is None else journal.record

    @property
    def num_waiting_bytes(self) -> int:
        """Memory of the changes that wait for the next commit, which writes them twice."""
        return len(self._pages) * PAGE_SIZE

    def readable(self) -> bool:
        """Returns `True`."""
        return True

    def writable(self) -> bool:
        """Returns `True`."""
        return True

    def seekable(self) -> bool:
        """Returns `True`."""
        return True

    def tell(self) -> int:
        """Returns the position at which the next byte is read or written."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """
        Changes the position.

        # Parameters

        offset : `int`
            Distance from the start, the position or the end. It may lead behind the end.
        whence : `int`, optional (default = `os.SEEK_SET`)
            `os.SEEK_SET`, `os.SEEK_CUR` or `os.SEEK_END`.

        # Returns

        `int`
            The new position.
        """
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._length}[whence]
        if start + offset < 0:
            raise ValueError(f"Expected a position from 0 on, got {start + offset}.")
        self._position = start + offset
        return self._position

    def read(self, size: Optional[int] = -1) -> bytes:
        """
        Reads bytes from the position on.

        # Parameters

        size : `Optional[int]`, optional (default = `-1`)
            The largest number of bytes. -1 and `None` are all that are left.

        # Returns

        `bytes`
            As many bytes, or fewer at the end of the file.

        # Raises

        `OSError`
            If the disk has an error.
        """
        num_left = max(self._length - self._position, 0)
        buffer = bytearray(num_left if size is None or size < 0 else min(size, num_left))
        self.readinto(buffer)
        return bytes(buffer)

    def readinto(self, buffer: Any) -> int:
        """
        Reads bytes from the position on.

        # Parameters

        buffer : `Any`
            A buffer to fill.

        # Returns

        `int`
            The number of bytes, which is less than the buffer has only at the end of the file.

        # Raises

        `OSError`
            If the disk has an error.
        """
        view = memoryview(buffer)
        if not view.nbytes:
            return 0
        view = view.cast("B")
        view = view[: max(self._length - self._position, 0)]
        self._read_disk(self._position, view)
        self._pages.overlay(self._position, view)
        self._position += len(view)
        return len(view)

    def write(self, data: Any) -> int:
        """
        Writes all of some bytes at the position.

        # Parameters

        data : `Any`
            Bytes, or an object with a contiguous buffer.

        # Returns

        `int`
            The number of bytes.

        # Raises

        `OSError`
            If the disk has an error, or had one before.
        """
        view = memoryview(data)
        if not view.nbytes:
            return 0
        view = view.cast("B")
        if not self.is_patient:
            self.raise_error()
        num_waiting = len(view)
        if self.error is None:
            num_waiting = max(min(num_waiting, self._direct_from - self._position), 0)
            try:
                self._write_disk(self._position + num_waiting, view[num_waiting:])
            except BaseException as error:
                self._fail(error)
                num_waiting = len(view)
        if num_waiting:
            self._pages.write(self._position, view[:num_waiting])
        self._position += len(view)
        self._length = max(self._length, self._position)
        return len(view)

    def truncate(self, size: Optional[int] = None) -> int:
        """
        Cuts the file off, or extends it by zeros.

        # Parameters

        size : `Optional[int]`, optional (default = `None`)
            The number of bytes. `None` is the position.

        # Returns

        `int`
            The number of bytes.

        # Raises

        `OSError`
            If the disk has an error, or had one before.
        """
        size = self._position if size is None else size
        if not self.is_patient:
            self.raise_error()
        if self.error is None:
            try:
                self._require_disk().truncate(
                    size if size > self._direct_from else self._committed_length
                )
                self._zeros_from = min(self._zeros_from, size)
            except BaseException as error:
                self._fail(error)
        self._pages.truncate(size)
        self._length = size
        return size

    def fail(self, error: BaseException) -> None:
        """
        Gives the file up because of an error, so nothing more is committed.

        # Parameters

        error : `BaseException`
            The error. An earlier one is kept instead.

        # Raises

        `BaseException`
            The first error, unless the file is patient.
        """
        if self.error is None:
            self.error = error
        if not self.is_patient:
            raise self.error

    def raise_error(self) -> None:
        """
        Raises the first error, if there was one.

        # Raises

        `BaseException`
            The first error.
        """
        if self.error is not None:
            raise self.error

    def commit(self, record: Dict[str, Any]) -> None:
        """
        Makes all that was written the state to which the file returns.

        # Parameters

        record : `Dict[str, Any]`
            Facts for whoever opens the file again; values of JSON.

        # Raises

        `OSError`
            If the disk has an error, or had one before. The file returns to the state of this
            commit or of the one before it.
        """
        self.raise_error()
        try:
            journal = self._journal(record)
            os.fsync(self._require_disk().fileno())
            write_journal(_journal_path(self._path), journal)
            self._apply(journal)
        except BaseException as error:
            self._fail(error)
            self.raise_error()

    def move_to(self, target: Path) -> None:
        """
        Closes the file and moves it to its final name, in one step and so that it stays there.

        Its journal stays where it is.

        # Parameters

        target : `Path`
            Path on the same file system. A file that is already there is replaced.

        # Raises

        `OSError`
            If it cannot be moved.
        """
        self.raise_error()
        if self._length != self._committed_length or len(self._pages):
            raise ValueError(f"Expected a commit before '{self.name}' is moved.")
        self.close()
        move_file(self._path, target)

    def remove(self) -> None:
        """
        Closes and removes the file, whose content is elsewhere by now.

        Its journal stays where it is, so that `is_moved` is `True`.

        # Raises

        `OSError`
            If it cannot be removed.
        """
        self.close()
        self._path.unlink()

    def close(self) -> None:
        """Closes the file without a commit."""
        if not self.closed:
            super().close()
            if self._disk is not None:
                self._disk.close()
            if self._lock is not None:
                os.close(self._lock)

    def _open(self) -> None:
        if self.is_moved(self._path):
            raise FileNotFoundError(
                errno.ENOENT, "The file was finished and moved away; remove its folder", self.name
            )
        try:
            self._lock = lock_file(self._path)
        except BlockingIOError as error:
            raise BlockingIOError(
                errno.EAGAIN, "Another process writes this file; wait for it, or end it", self.name
            ) from error
        self._disk = FileIO(str(self._path), "r+" if self._path.exists() else "w+")
        journal = read_journal(_journal_path(self._path)) or NOTHING
        size = self._disk.seek(0, os.SEEK_END)
        if size < journal.min_length:
            raise ConfigurationError(
                f"Expected {journal.min_length} bytes or more in the unfinished file "
                f"'{self.name}', but it has {size}. Remove its folder, and begin again."
            )
        self._apply(journal)

    def _journal(self, record: Dict[str, Any]) -> Journal:
        """Describes the file as it is now, by what is on the disk and what waits in memory."""
        on_disk = self._length if self._length > self._direct_from else self._committed_length
        zeros = (self._zeros_from, min(self._direct_from, self._length))
        pages = []
        for number in self._pages.numbers:
            offset = number * PAGE_SIZE
            page = self._pages.page(number)
            pages.append((offset, memoryview(page)[: max(self._length - offset, 0)]))
        return Journal(record, self._length, min(on_disk, self._length), zeros, pages)

    def _apply(self, journal: Journal) -> None:
        """Makes the changes of a journal, which may be made already."""
        start, end = journal.zeros
        while start < end:
            self._write_disk(start, memoryview(ZEROS)[: end - start])
            start += len(ZEROS)
        for offset, page in journal.pages:
            self._write_disk(offset, memoryview(page))
        self._require_disk().truncate(journal.length)
        self._begin(journal)

    def _begin(self, journal: Journal) -> None:
        """Starts with a file that is as its journal describes it."""
        self.record = journal.record
        self._length = self._committed_length = journal.length
        # The last committed page waits as a whole, so each page is in memory or on the disk.
        self._direct_from = -(-journal.length // PAGE_SIZE) * PAGE_SIZE
        # The disk may hold bytes between here and there that were cut off.
        self._zeros_from = journal.length
        self._pages = ShadowPages(self._read_disk)

    def _read_disk(self, offset: int, view: memoryview) -> None:
        disk = self._require_disk()
        disk.seek(offset)
        num_read = 0
        while num_read < len(view):
            count = disk.readinto(view[num_read:])
            if not count:
                break
            num_read += count
        view[num_read:] = bytes(len(view) - num_read)
        low = max(self._zeros_from - offset, 0)
        high = min(self._direct_from - offset, len(view))
        if low < high:
            view[low:high] = bytes(high - low)

    def _write_disk(self, offset: int, view: memoryview) -> None:
        if len(view):
            disk = self._require_disk()
            disk.seek(offset)
            # One call writes at most 2 GiB.
            while len(view):
                view = view[disk.write(view) or 0 :]

    def _require_disk(self) -> FileIO:
        if self._disk is None or self.closed:
            raise ValueError(f"Expected an open file, but '{self.name}' is closed.")
        return self._disk

    def _fail(self, error: BaseException) -> None:
        """Gives the file up because of an error of its own."""
        explained = self._explained(error)
        if explained is not error:
            explained.__cause__ = error
        self.fail(explained)

    def _explained(self, error: BaseException) -> BaseException:
        if isinstance(error, OSError):
            return disk_error(error, self._path, ". It keeps what was committed before.")
        return error


def _journal_path(path: Path) -> Path:
    return path.with_name(path.name + ".journal")
