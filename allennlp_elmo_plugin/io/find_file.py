"""
Finding a file or folder that a user names.
"""

import os
from typing import Union

from allennlp.common.checks import ConfigurationError
from allennlp.common.file_utils import cached_path

__all__ = ["find_file"]


def find_file(location: Union[str, "os.PathLike[str]"], description: str) -> str:
    """
    Returns the local path of a file or folder.

    # Parameters

    location : `Union[str, PathLike]`
        Path or URL. A URL is downloaded into AllenNLP's cache first.
    description : `str`
        Description of what is expected there, for errors, such as `"a text file"`.

    # Returns

    `str`
        The path. In the cache, it has no suffix.

    # Raises

    `ConfigurationError`
        If there is nothing, or if it cannot be downloaded.
    """
    try:
        return str(cached_path(location))
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"Expected {description} at '{location}', but there is none. Check the path; a "
            f"relative one starts at the working directory, '{os.getcwd()}'."
        ) from error
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"Expected {description} at '{location}', but it could not be downloaded ({error}). "
            "Check the URL and the network, or give the path of a local copy."
        ) from error
