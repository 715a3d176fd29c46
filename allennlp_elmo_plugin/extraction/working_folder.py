"""
The folder beside an output in which the unfinished file lies, and what it was begun with.
"""

import json
import os
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Dict, Iterator

from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.io.atomic import sync, write_atomically
from allennlp_elmo_plugin.io.journaled_file import JournaledFile
from allennlp_elmo_plugin.io.json_file import read_json
from allennlp_elmo_plugin.io.staging import PREFIX, lock_file

__all__ = ["RESUMABLE", "WorkingFolder", "require_same_settings"]

RESUMABLE = "resumable"
"""Key of the settings: `True` if an extraction can go on after a kill."""

SETTINGS = "settings.json"
CONTENTS = "the settings of an extraction"


class WorkingFolder:
    """
    The folder `OUTPUT.partial`, which exists from the beginning of an extraction to its end.

    # Parameters

    output : `Path`
        Path of the output.
    """

    def __init__(self, output: Path) -> None:
        self.path = output.with_name(output.name + ".partial")

    @property
    def data_path(self) -> Path:
        """Path of the unfinished file."""
        return self.path / "data"

    @property
    def input_path(self) -> Path:
        """Path of a copy of standard input."""
        return self.path / "input"

    @property
    def is_begun(self) -> bool:
        """`True` if an extraction was begun there, and has not come to its end."""
        return (self.path / SETTINGS).is_file()

    def num_bytes(self) -> int:
        """Returns the size of the unfinished file."""
        return self.data_path.stat().st_size if self.data_path.is_file() else 0

    def require_unused(self) -> None:
        """
        Checks that there is no unfinished work, and removes what is of no use.

        # Raises

        `ConfigurationError`
            If there is some that can be resumed, or if another process is at work.
        """
        if not self.is_begun:
            return
        is_finished = JournaledFile.is_moved(self.data_path)
        if is_finished or not read_json(self.path / SETTINGS, CONTENTS).get(RESUMABLE):
            self._require_idle()
            self.remove()
        else:
            raise ConfigurationError(
                f"Found the unfinished work of an earlier run in '{self.path}'. Go on with it by "
                "running the same command with --resume, or delete the folder to begin again."
            )

    def begin(self, settings: Dict[str, Any]) -> None:
        """
        Makes the folder, or checks that it was begun with the same settings.

        # Parameters

        settings : `Dict[str, Any]`
            Everything that the result depends on, values of JSON by their names.

        # Raises

        `ConfigurationError`
            If it was begun with other settings, or holds files of something else.
        """
        if not self.is_begun:
            self.path.mkdir(exist_ok=True)
            sync(self.path.parent)
            self._clear()
            with write_atomically(self.path / SETTINGS) as partial:
                partial.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
            return
        begun = read_json(self.path / SETTINGS, CONTENTS)
        require_same_settings(begun, settings, str(self.path))

    @contextmanager
    def discarded_unless_begun(self) -> Iterator[None]:
        """
        Removes a copy of standard input if the block fails before the extraction was begun.
        """
        try:
            yield
        except BaseException:
            if not self.is_begun:
                self.input_path.unlink(missing_ok=True)
                # A folder with anything else in it was not made by this extraction.
                with suppress(OSError):
                    self.path.rmdir()
            raise

    def remove(self) -> None:
        """Removes the folder and everything in it, if there is one."""
        # Without settings, what a kill leaves here is no unfinished work.
        (self.path / SETTINGS).unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            shutil.rmtree(self.path)

    def _require_idle(self) -> None:
        try:
            lock = lock_file(self.data_path, makes=False)
        except FileNotFoundError:
            return
        except BlockingIOError as error:
            raise ConfigurationError(
                f"Another process writes the output of '{self.path}'. Wait for it, or end it."
            ) from error
        if lock is not None:
            os.close(lock)

    def _clear(self) -> None:
        """Removes what a kill has left of an extraction before its start or after its end."""
        for path in self.path.iterdir():
            # A journal alone would say that the file is finished.
            if path.name.startswith(self.data_path.name):
                path.unlink()
            elif path != self.input_path and not path.name.startswith(PREFIX):
                raise ConfigurationError(
                    f"Expected '{self.path}' to be free for an unfinished file, but it holds "
                    f"'{path.name}'. Choose another output, or move the folder."
                )


def require_same_settings(begun: Dict[str, Any], settings: Dict[str, Any], place: str) -> None:
    """
    Checks that work goes on with what it was begun with.

    # Parameters

    begun, settings : `Dict[str, Any]`
        Settings of the work at its beginning, and now.
    place : `str`
        Path or URL of the work.

    # Raises

    `ConfigurationError`
        If they differ. The message names each difference.
    """
    names = sorted({*begun, *settings})
    differences = [
        f"{name} was {begun.get(name)!r} and is {settings.get(name)!r}"
        for name in names
        if begun.get(name) != settings.get(name)
    ]
    if differences:
        raise ConfigurationError(
            f"Expected what the work in '{place}' was begun with, but {'; '.join(differences)}. "
            "Use the same input and options, or delete the folder to begin again."
        )
