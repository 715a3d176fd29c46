"""
Finding the two files of a biLM.

They are named by a path, a URL, a folder, zip or tar that contains them, or the name of a biLM that
comes with the plugin.
"""

import logging
import os
from functools import lru_cache, partial
from pathlib import Path, PurePath
from typing import Callable, Iterator, Sequence, Union

from allennlp.common.checks import ConfigurationError
from allennlp.common.file_utils import cached_path

from allennlp_elmo_plugin.io.atomic import explain_interruption
from allennlp_elmo_plugin.weights.archives import (
    archive_members,
    cache_folder,
    extract,
    is_archive,
)

__all__ = ["find_options_file", "find_weight_file"]

logger = logging.getLogger(__name__)

MAX_ENTRIES = 100_000
MAX_LISTED = 20
MAX_TEXT = 500

PRETRAINED = "pretrained:"
MAC_METADATA = "__MACOSX"
PRETRAINED_FOLDER = Path(__file__).parent.parent / "pretrained"


def find_options_file(location: Union[str, "os.PathLike[str]"]) -> Path:
    """
    Finds the options file of a biLM.

    # Parameters

    location : `Union[str, PathLike]`
        Path or URL of the file, path or URL of a folder or zip with one file whose name contains
        `options` and ends in `.json`, or `pretrained:small`.

    # Returns

    `Path`
        Path of a local file.

    # Raises

    `ConfigurationError`
        If there is nothing at the location, if it cannot be downloaded, or if the folder or zip
        contains no such file or several.
    """
    return _find(location, "options_file", "*options*.json")


def find_weight_file(location: Union[str, "os.PathLike[str]"]) -> Path:
    """
    Finds the weight file of a biLM.

    # Parameters

    location : `Union[str, PathLike]`
        Path or URL of the file, path or URL of a folder or zip with one `.hdf5` file (files with
        `softmax` in their name do not count), or `pretrained:small`.

    # Returns

    `Path`
        Path of a local file.

    # Raises

    `ConfigurationError`
        If there is nothing at the location, if it cannot be downloaded, or if the folder or zip
        contains no such file or several.
    """
    return _find(location, "weight_file", "*.hdf5")


def _find(location: Union[str, "os.PathLike[str]"], key: str, pattern: str) -> Path:
    text, member = os.fspath(_resolve_pretrained(location, key)), ""
    # AllenNLP's way to name a file in an archive.
    if "!" in text and not os.path.exists(text):
        text, _, member = text.partition("!")
    path = _local_path(text, location, key)
    if path.is_dir() and not member:
        found = sorted(_search(path, partial(_is_wanted, pattern=pattern)))
        _require_one(found, location, key, pattern, explain_interruption(path))
        return path / found[0]
    try:
        if path.is_file() and is_archive(path):
            return _find_in_archive(path, member, location, key, pattern)
    except ConfigurationError:
        raise
    except Exception as error:
        raise ConfigurationError(
            f"'{key}' names '{location}', an archive that cannot be extracted "
            f"({str(error)[:MAX_TEXT] or type(error).__name__}). Download it again, or extract it "
            "and name the file itself."
        ) from error
    if member:
        raise ConfigurationError(
            f"'{key}' names '{location}'. Expected an archive before the '!', but '{path}' is "
            "neither a zip nor a tar. Name the file itself."
        )
    return path


def _local_path(text: str, location: Union[str, "os.PathLike[str]"], key: str) -> Path:
    try:
        return Path(cached_path(text))
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"'{key}' names '{location}', but there is no such file. Check the path; a relative "
            f"one starts at the working directory, '{os.getcwd()}'."
            f"{explain_interruption(Path(location).parent)}"
        ) from error
    except Exception as error:
        raise ConfigurationError(
            f"'{key}' names '{location}', but it could not be found or downloaded "
            f"({str(error)[:MAX_TEXT]}). Check the path or URL and the network, or give the path "
            "of a local copy."
        ) from error


def _find_in_archive(
    path: Path, member: str, location: Union[str, "os.PathLike[str]"], key: str, pattern: str
) -> Path:
    def is_wanted(name: PurePath) -> bool:
        inner = PurePath(member)
        return name == inner or (inner in name.parents and _is_wanted(name, pattern))

    folder = cache_folder(path, member)
    extracted = list(_search(folder, is_wanted))
    if len(extracted) == 1:
        return folder / extracted[0]
    with archive_members(path) as members:
        # If a name is there twice, the last file counts, as for every other program.
        wanted = {file.name: file for file in members if is_wanted(file.name)}
        _require_one(sorted(wanted), location, key, pattern)
        ((name, file),) = wanted.items()
        logger.info("Extracting '%s' of '%s' into '%s'", name, path, folder)
        extract(file, folder)
    return folder / name


def _require_one(
    found: Sequence[PurePath],
    location: Union[str, "os.PathLike[str]"],
    key: str,
    pattern: str,
    explanation: str = "",
) -> None:
    if len(found) == 1:
        return
    names = ", ".join(str(name)[:MAX_TEXT] for name in found[:MAX_LISTED]) or "none"
    if len(found) > MAX_LISTED:
        names += f" and {len(found) - MAX_LISTED} more"
    raise ConfigurationError(
        f"'{key}' names '{location}'. Expected exactly one file like '{pattern}' in there, found "
        f"{names}. Name the file itself.{explanation}"
    )


def _search(folder: Path, is_wanted: Callable[[PurePath], bool]) -> Iterator[PurePath]:
    """Yields the names of wanted files below a folder. Linked folders are not searched."""
    folders, seen = [PurePath()], 0
    while folders:
        current = folders.pop()
        try:
            entries = os.scandir(folder / current)
        except (FileNotFoundError, PermissionError):
            # No file can be read from there.
            continue
        with entries:
            for entry in entries:
                name = current / entry.name
                seen += 1
                if seen > MAX_ENTRIES:
                    raise ConfigurationError(
                        f"Expected a folder with the files of a biLM, but '{folder}' holds more "
                        f"than {MAX_ENTRIES} files and folders. Name the file itself."
                    )
                if entry.is_dir(follow_symlinks=False):
                    if not _is_leftover(name):
                        folders.append(name)
                elif is_wanted(name) and entry.is_file():
                    yield name


def _is_wanted(name: PurePath, pattern: str) -> bool:
    return name.match(pattern) and "softmax" not in name.name and not _is_leftover(name)


def _is_leftover(path: PurePath) -> bool:
    """Returns `True` for files of an interrupted write and those that macOS adds to a zip."""
    return any(part.startswith(".") or part == MAC_METADATA for part in path.parts)


def _resolve_pretrained(
    location: Union[str, "os.PathLike[str]"], key: str
) -> Union[str, "os.PathLike[str]"]:
    """Replaces the name of a biLM that comes with the plugin by its folder."""
    if not isinstance(location, (str, os.PathLike)):
        raise ConfigurationError(
            f"Expected '{key}' to be a path or a URL, got {location!r:.{MAX_TEXT}}. Leave it out "
            "for the published biLM."
        )
    text = os.fspath(location)
    if not text.startswith(PRETRAINED):
        return location
    folders = sorted(folder.name for folder in PRETRAINED_FOLDER.iterdir() if folder.is_dir())
    name = text[len(PRETRAINED) :]
    if name not in folders:
        names = ", ".join(PRETRAINED + folder for folder in folders)
        raise ConfigurationError(
            f"'{key}' names '{location}', but the plugin has no biLM of that name. Use one of: "
            f"{names}."
        )
    _log_limits(text)
    return PRETRAINED_FOLDER / name


@lru_cache(maxsize=None)
def _log_limits(name: str) -> None:
    logger.info(
        "'%s' is a small biLM of English, trained on novels. For text in another language it can "
        "be worse than no biLM at all: use one that was trained on that language.",
        name,
    )
