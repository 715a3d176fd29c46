"""
Finding the two files of a biLM.

They are named by a path, a URL, a folder or zip that contains them, or the name of a biLM that
comes with the plugin.
"""

import fnmatch
import logging
import os
from functools import lru_cache
from pathlib import Path
from typing import Iterator, Union

from allennlp.common.checks import ConfigurationError
from allennlp.common.file_utils import cached_path

from allennlp_elmo_plugin.io.atomic import explain_interruption

__all__ = ["find_options_file", "find_weight_file"]

logger = logging.getLogger(__name__)

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
    try:
        path = Path(cached_path(_resolve_pretrained(location, key), extract_archive=True))
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"'{key}' names '{location}', but there is no such file. Check the path; a relative "
            f"one starts at the working directory, '{os.getcwd()}'."
            f"{explain_interruption(Path(location).parent)}"
        ) from error
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"'{key}' names '{location}', but it could not be downloaded ({error}). Check the URL "
            "and the network, or give the path of a local copy."
        ) from error
    if not path.is_dir():
        return path
    found = sorted(file for file in _visible_files(path, pattern) if "softmax" not in file.name)
    if len(found) != 1:
        names = ", ".join(str(file.relative_to(path)) for file in found) or "none"
        raise ConfigurationError(
            f"'{key}' names '{location}'. Expected exactly one file like '{pattern}' in there, "
            f"found {names}. Name the file itself.{explain_interruption(path)}"
        )
    return found[0]


def _visible_files(folder: Path, pattern: str) -> Iterator[Path]:
    """Yields the files below a folder, without looking into folders that don't count."""
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not _is_leftover(name)]
        for name in fnmatch.filter(files, pattern):
            path = Path(parent, name)
            if not _is_leftover(name) and path.is_file():
                yield path


def _is_leftover(name: str) -> bool:
    """Returns `True` for files of an interrupted write and those that macOS adds to a zip."""
    return name.startswith(".") or name == MAC_METADATA


def _resolve_pretrained(
    location: Union[str, "os.PathLike[str]"], key: str
) -> Union[str, "os.PathLike[str]"]:
    """Replaces the name of a biLM that comes with the plugin by its folder."""
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
