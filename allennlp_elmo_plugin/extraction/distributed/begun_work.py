"""
The begin and the end of the folder with the work of a distributed extraction.
"""

import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator

from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.extraction.distributed.store import Store
from allennlp_elmo_plugin.extraction.working_folder import require_same_settings
from allennlp_elmo_plugin.io.staging import lock_file

__all__ = [
    "SETTINGS",
    "SIZE_OF_SHARDS",
    "begin_work",
    "locked_work",
    "remove_work",
    "require_same_work",
]

SETTINGS = "settings.json"
SIZE_OF_SHARDS = "shard bytes"
"""Key of the settings: the size of a shard, which a run in one process does not have."""
LOCK = ".lock"


@contextmanager
def locked_work(work: Store) -> Iterator[None]:
    """
    Keeps a second driver away, where the disk has locks. The folder is made if it is missing.

    If the block ends before the work was begun, the folder is removed again.

    # Parameters

    work : `Store`
        The folder.

    # Raises

    `ConfigurationError`
        If another process is at work.
    """
    work.make()
    if not work.is_local:
        yield
        return
    try:
        lock = lock_file(Path(work.path(LOCK)))
    except BlockingIOError as error:
        raise ConfigurationError(
            f"Another process is at the work in '{work.location}'. Wait for it, or end it."
        ) from error
    try:
        yield
    finally:
        if not work.exists(SETTINGS):
            work.remove(LOCK)
            # It may hold something else.
            with suppress(OSError):
                os.rmdir(work.path())
        if lock is not None:
            os.close(lock)


def require_same_work(work: Store, settings: Dict[str, Any]) -> bool:
    """
    Checks that work goes on with what it was begun with.

    # Parameters

    work : `Store`
        The folder.
    settings : `Dict[str, Any]`
        Everything that the result depends on but the input, values of JSON by their names.

    # Returns

    `bool`
        `True` if it was begun.

    # Raises

    `ConfigurationError`
        If it was begun with something else, or by a run in one process.
    """
    begun = work.read_json(SETTINGS)
    if begun is None:
        return False
    if SIZE_OF_SHARDS not in begun:
        raise ConfigurationError(
            f"Found the unfinished work of a run without --ray in '{work.location}'. Go on with it "
            "by the same command with --resume and without --ray, or delete the folder to begin "
            "again."
        )
    require_same_settings(begun, settings, work.location)
    return True


def begin_work(work: Store, settings: Dict[str, Any], leftovers: Iterable[str]) -> None:
    """
    Begins the work, which is nothing to do if it was begun.

    # Parameters

    work : `Store`
        The folder.
    settings : `Dict[str, Any]`
        As above.
    leftovers : `Iterable[str]`
        Names of what a kill may have left there while the work before was removed.

    # Raises

    `ConfigurationError`
        As above.
    """
    if require_same_work(work, settings):
        return
    for name in leftovers:
        work.remove(name)
    work.write_json(SETTINGS, settings)


def remove_work(work: Store) -> None:
    """
    Removes the folder and everything in it.

    # Parameters

    work : `Store`
        The folder.
    """
    # Without settings, what a kill leaves here is no unfinished work.
    work.remove(SETTINGS)
    work.remove()
