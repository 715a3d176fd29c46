"""
Where a biLM's two files are: a path, a URL, a folder or zip that holds them, or the name of a biLM
that comes with the plugin.
"""

import os
from pathlib import Path
from typing import Union

from allennlp.common.checks import ConfigurationError
from allennlp.common.file_utils import cached_path

__all__ = ["find_options_file", "find_weight_file"]

PRETRAINED = "pretrained:"
PRETRAINED_FOLDER = Path(__file__).parent.parent / "pretrained"


def find_options_file(location: Union[str, "os.PathLike[str]"]) -> Path:
    """
    The options file at a location.

    # Parameters

    location : `Union[str, PathLike]`
        A file, a URL that `cached_path` understands, a folder or zip with one file whose name
        contains `options` and ends in `.json`, or `pretrained:small`.

    # Returns

    `Path`
        A local file.

    # Raises

    `ConfigurationError`
        When nothing is there, when it cannot be fetched, or when a folder or zip holds no such
        file or several.
    """
    return _find(location, "options_file", "*options*.json")


def find_weight_file(location: Union[str, "os.PathLike[str]"]) -> Path:
    """
    The weight file at a location.

    # Parameters

    location : `Union[str, PathLike]`
        A file, a URL that `cached_path` understands, a folder or zip with one `.hdf5` file (a
        softmax, with `softmax` in its name, does not count), or `pretrained:small`.

    # Returns

    `Path`
        A local file.

    # Raises

    `ConfigurationError`
        When nothing is there, when it cannot be fetched, or when a folder or zip holds no such
        file or several.
    """
    return _find(location, "weight_file", "*.hdf5")


def _find(location: Union[str, "os.PathLike[str]"], key: str, pattern: str) -> Path:
    try:
        path = Path(cached_path(_without_name(location, key), extract_archive=True))
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"'{key}' names '{location}', but there is no such file. Relative paths are taken "
            f"from the folder of the command, '{os.getcwd()}'."
        ) from error
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"'{key}' names '{location}', which could not be fetched ({error}). Give the path of "
            "a local copy, or try again with a network."
        ) from error
    if not path.is_dir():
        return path
    found = sorted(
        file for file in path.rglob(pattern) if file.is_file() and "softmax" not in file.name
    )
    if len(found) != 1:
        names = ", ".join(str(file.relative_to(path)) for file in found) or "none"
        raise ConfigurationError(
            f"'{key}' names '{location}', which must hold exactly one file like '{pattern}', "
            f"but holds {names}. Name the file itself."
        )
    return found[0]


def _without_name(
    location: Union[str, "os.PathLike[str]"], key: str
) -> Union[str, "os.PathLike[str]"]:
    """The folder of a biLM that comes with the plugin, in place of its name."""
    text = os.fspath(location)
    if not text.startswith(PRETRAINED):
        return location
    folders = sorted(folder.name for folder in PRETRAINED_FOLDER.iterdir() if folder.is_dir())
    name = text[len(PRETRAINED) :]
    if name not in folders:
        names = ", ".join(PRETRAINED + folder for folder in folders)
        raise ConfigurationError(
            f"'{key}' names '{location}', but the biLMs that come with the plugin are {names}."
        )
    return PRETRAINED_FOLDER / name
