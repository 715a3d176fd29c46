"""
Fetching the files of published biLMs into AllenNLP's cache.
"""

import hashlib
import logging
from contextlib import suppress
from pathlib import Path
from typing import Callable, Iterator, List, Optional, Tuple

from allennlp.common import file_utils
from allennlp.common.checks import ConfigurationError
from allennlp.common.file_utils import cached_path
from cached_path import find_latest_cached

from allennlp_elmo_plugin.io.atomic import write_atomically
from allennlp_elmo_plugin.weights.archives import cache_folder, is_archive
from allennlp_elmo_plugin.weights.published.catalogue import (
    ARCHIVE,
    PARTS,
    PUBLISHED,
    Address,
    PublishedModel,
)

__all__ = ["cached_copies", "fetch_file"]

logger = logging.getLogger(__name__)

MAX_TEXT = 500
SHOWN = 30
"""Bytes that an error shows of a wrong file."""
STARTS = {"weights": b"\x89HDF\r\n\x1a\n", "options": b"{"}
BLANK = b"\xef\xbb\xbf \r\n\t"
"""A byte order mark, and what JSON may begin with."""
CHECKED = ".md5"
"""Ending of the file that remembers the checksum of another one."""

Reason = Tuple[str, str]


class _WrongContentError(Exception):
    """A file that is not what it should be."""


def fetch_file(
    model: PublishedModel, key: str, find: Callable[[Path], Path], parameter: str
) -> Path:
    """
    Finds a file of a published biLM in the cache, or downloads it.

    A copy in the cache is taken without asking the network. Otherwise each address is tried, in the
    order of the list. A file with a known checksum is checked once.

    # Parameters

    model : `PublishedModel`
        The biLM.
    key : `str`
        `"options_file"` or `"weight_file"`.
    find : `Callable[[Path], Path]`
        Finds the file in a downloaded archive.
    parameter : `str`
        Name of the parameter that names the biLM, for errors.

    # Returns

    `Path`
        Path of a local file.

    # Raises

    `ConfigurationError`
        If no address has the file. The error lists the addresses, each with the reason.
    """
    reasons: List[Reason] = []
    for address, path in _copies(model.addresses_of(key), reasons):
        try:
            return _checked(path, address, model, key, find)
        except _WrongContentError as error:
            reasons.append((address.url, str(error)))
            _remove(path)
        except ConfigurationError as error:
            reasons.append((address.url, f"{_first_line(error)} The copy is '{path}'."))
    raise ConfigurationError(_describe(model, parameter, PARTS[key], reasons))


def cached_copies(model: PublishedModel) -> List[Path]:
    """
    Finds the files of a published biLM that are in the cache.

    # Parameters

    model : `PublishedModel`
        The biLM.

    # Returns

    `List[Path]`
        Paths of the options and of the weights, or of their archive, or of less if not all is
        there. Checksums are not computed.
    """
    found = []
    for key in PARTS:
        paths = (_cached(address.url) for address in model.addresses_of(key))
        found += [path for path in paths if path is not None][:1]
    return sorted(set(found), key=found.index)


def _copies(addresses: List[Address], reasons: List[Reason]) -> Iterator[Tuple[Address, Path]]:
    for address in addresses:
        path = _cached(address.url)
        if path is not None:
            yield address, path
    for address in addresses:
        if _cached(address.url) is None:
            path = _download(address.url, reasons)
            if path is not None:
                yield address, path


def _download(url: str, reasons: List[Reason]) -> Optional[Path]:
    try:
        return Path(cached_path(url))
    except FileNotFoundError:
        reasons.append((url, "there is no such file (404)"))
    except Exception as error:
        # The errors of an HTTP client are of many kinds, and each leaves the other addresses.
        reasons.append((url, _first_line(error)))
    return None


def _cached(url: str) -> Optional[Path]:
    return find_latest_cached(url, file_utils.CACHE_DIRECTORY)


def _checked(
    path: Path, address: Address, model: PublishedModel, key: str, find: Callable[[Path], Path]
) -> Path:
    _require_content(path, address.part)
    _require_md5(path, model.md5.get(address.part))
    if address.part != ARCHIVE:
        return path
    found = find(path)
    _require_md5(found, model.md5.get(PARTS[key]))
    return found


def _require_content(path: Path, part: str) -> None:
    with open(path, "rb") as file:
        start = file.read(SHOWN)
    is_right = is_archive(path) if part == ARCHIVE else start.lstrip(BLANK).startswith(STARTS[part])
    if not is_right:
        raise _WrongContentError(f"it holds no {part}: it begins with {start!r}")


def _require_md5(path: Path, expected: Optional[str]) -> None:
    if expected is None:
        return
    remembered = cache_folder(path, "").with_suffix(CHECKED)
    with suppress(FileNotFoundError):
        if remembered.read_text(encoding="ascii") == expected:
            return
    found = _md5(path)
    if found != expected:
        raise _WrongContentError(f"its MD5 is {found}, expected {expected}")
    remembered.parent.mkdir(parents=True, exist_ok=True)
    with write_atomically(remembered, durable=False) as partial:
        partial.write_text(expected, encoding="ascii")


def _md5(path: Path) -> str:
    digest = hashlib.md5()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(1 << 20), b""):
            digest.update(chunk)
    return digest.hexdigest()


def _remove(path: Path) -> None:
    """Removes a wrong file from the cache, so that the next call downloads it again."""
    for each in (path, path.with_name(path.name + ".json")):
        with suppress(FileNotFoundError):
            each.unlink()


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:MAX_TEXT]


def _describe(model: PublishedModel, parameter: str, part: str, reasons: List[Reason]) -> str:
    name = PUBLISHED + model.name
    if reasons:
        tried = "".join(f"\n  {url}\n    {reason}" for url, reason in reasons)
        text = f"'{parameter}' names '{name}', but its {part} could not be fetched. Tried:{tried}\n"
    else:
        text = (
            f"'{parameter}' names '{name}', the files of which cannot be fetched automatically.\n"
        )
    return (
        f"{text}{model.by_hand + ' ' if model.by_hand else ''}Fetch the files by hand, for example "
        f"with a browser or on another machine, and give their path as '{parameter}': that of the "
        "file, or that of the folder or archive with the options and the weights (also as --model "
        "of 'allennlp elmo')."
    )
