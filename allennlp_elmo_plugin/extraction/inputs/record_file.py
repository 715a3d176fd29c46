"""
A temporary file of sentences whose tokens took time to find.
"""

import json
import weakref
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Iterable, Iterator

from allennlp_elmo_plugin.extraction.inputs.record import Record
from allennlp_elmo_plugin.io.disk_errors import disk_error

__all__ = ["RecordFile"]


class RecordFile:
    """
    An iterable over sentences that lie in a temporary file.

    The file has no name, so nobody else can change it, and it vanishes with the process.

    # Parameters

    records : `Iterable[Record]`
        The sentences, which are read once.
    folder : `Path`
        An existing folder on a disk with space for them.

    # Raises

    `OSError`
        If they cannot be written, for example because the disk is full.
    """

    def __init__(self, records: Iterable[Record], folder: Path) -> None:
        self._file = TemporaryFile(dir=folder)  # noqa: SIM115
        weakref.finalize(self, self._file.close)
        try:
            for record in records:
                self._file.write(json.dumps(record).encode("ascii") + b"\n")
            self._file.flush()
        except OSError as error:
            # The bytes that wait in memory cannot be written either.
            with suppress(OSError):
                self._file.close()
            outcome = ", so the tokens of the text could not be kept there."
            raise disk_error(error, folder.absolute(), outcome) from error

    def __iter__(self) -> Iterator[Record]:
        """
        Reads the sentences.

        # Returns

        `Iterator[Record]`
            The sentences in their order. Several such iterators may take turns.
        """
        position = 0
        while True:
            self._file.seek(position)
            line = self._file.readline()
            if not line:
                return
            position += len(line)
            yield Record(*json.loads(line))
