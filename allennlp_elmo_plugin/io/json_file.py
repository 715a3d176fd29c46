"""
Reading JSON that may be damaged or crafted.
"""

import json
import os
from collections import Counter
from typing import Any, Dict, List, Tuple, Union

from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.io.regular_file import require_regular_file

__all__ = ["parse_json", "read_json"]

MAX_SIZE = 1 << 20
MAX_DIGITS = 1000


def read_json(path: Union[str, "os.PathLike[str]"], contents: str) -> Any:
    """
    Reads a small JSON file in UTF-8.

    # Parameters

    path : `Union[str, PathLike]`
        Path of the file.
    contents : `str`
        Contents that are expected, for the errors.

    # Returns

    `Any`
        The value that the file holds.

    # Raises

    `ConfigurationError`
        If there is no such file, if it is not a regular file, has more than 1 MiB, is not JSON, or
        gives a key twice.
    """
    require_regular_file(path, contents + " in JSON")
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_SIZE + 1)
        if len(content) > MAX_SIZE:
            raise ValueError(f"it has more than {MAX_SIZE} bytes")
        return parse_json(content.decode("utf-8-sig"))
    except (OSError, ValueError) as error:
        raise _not_json(path, contents, str(error)) from error


def parse_json(text: str) -> Any:
    """
    Parses text in JSON.

    # Parameters

    text : `str`
        The text.

    # Returns

    `Any`
        The value that the text holds.

    # Raises

    `ValueError`
        If the text is not JSON, gives a key twice, is nested too deeply or has an integer that
        takes long to read. The message says which.
    """
    try:
        return _DECODER.decode(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _not_json(
    path: Union[str, "os.PathLike[str]"], contents: str, reason: str
) -> ConfigurationError:
    return ConfigurationError(
        f"Expected {contents} in a small JSON file, but '{path}' is not JSON ({reason}). Is it the "
        "weight file, or a download that broke off?"
    )


def _parse_int(digits: str) -> int:
    # Python needs quadratic time for long integers, or refuses them.
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"it has an integer of {len(digits)} digits")
    return int(digits)


def _unique_keys(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        repeated = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"it gives the key {repeated[:100]!r} more than once")
    return content


_DECODER = json.JSONDecoder(parse_int=_parse_int, object_pairs_hook=_unique_keys)
