"""
Files on this machine or in a store such as S3, which fsspec reads and lists.
"""

import os
import re
from contextlib import contextmanager
from hashlib import blake2b
from typing import Any, Dict, Iterator, Tuple, Union

from allennlp.common.checks import ConfigurationError

__all__ = ["explain_errors", "file_version", "open_file_system"]

URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")

STAMPS = (
    "ETag",
    "etag",
    "md5Hash",
    "generation",
    "blob_id",
    "mtime",
    "LastModified",
    "last_modified",
    "updated",
    "created",
)
"""Names under which file systems tell what changes with a file, the surest first."""


def open_file_system(location: Union[str, "os.PathLike[str]"]) -> Tuple[Any, str]:
    """
    Returns the file system of a path or URL.

    # Parameters

    location : `Union[str, PathLike]`
        Path on this machine, or URL such as `s3://bucket/corpus`. It may be a glob.

    # Returns

    `Tuple[AbstractFileSystem, str]`
        The file system, and the path in it. A path on this machine is absolute.

    # Raises

    `ConfigurationError`
        If fsspec or the package for the protocol is missing, or if fsspec does not know the
        protocol.
    """
    text = os.fspath(location)
    fsspec = _import_fsspec(text)
    if "::" in text and "://" in text:
        raise ConfigurationError(
            f"Expected one path or URL, got '{text}', which '::' joins of several. Unpack or copy "
            "the files, and name them by their own path or URL."
        )
    if URL.match(text) is None:
        return fsspec.filesystem("file"), os.path.abspath(text)
    protocol = text.split("://", 1)[0]
    try:
        return fsspec.core.url_to_fs(text)
    except ImportError as error:
        raise ConfigurationError(
            f"Expected to open '{text}', but the package that fsspec needs for '{protocol}://' is "
            f"missing ({error}). Install it on every machine, such as s3fs for 's3://' with: pip "
            "install s3fs"
        ) from error
    except ValueError as error:
        raise ConfigurationError(
            f"Expected a path, or a URL such as 's3://bucket/corpus', got '{text}', which fsspec "
            f"cannot open ({error}). Check its protocol, '{protocol}'."
        ) from error


def file_version(info: Dict[str, Any]) -> str:
    """
    Returns the version of a file, which differs when its content has changed.

    # Parameters

    info : `Dict[str, Any]`
        Facts that the file system told of the file.

    # Returns

    `str`
        Digest of the size and of the entity tag, or the time of the last change if it has no tag,
        in hexadecimal. Of a server that tells neither, it is the digest of the size alone.
    """
    stamp = next((info[name] for name in STAMPS if info.get(name) is not None), None)
    # Listings and single answers of a server may differ in the quotes around a tag.
    facts = f"{info['size']} {str(stamp).strip(chr(34))}"
    return blake2b(facts.encode("utf-8"), digest_size=8).hexdigest()


@contextmanager
def explain_errors(location: str) -> Iterator[None]:
    """
    Turns each error of a file system into one that names what is read.

    # Parameters

    location : `str`
        Path or URL as the user knows it.

    # Raises

    `ConfigurationError`
        If what is done under the context manager raises an error.
    """
    try:
        yield
    except ConfigurationError:
        raise
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"Expected a file at '{location}', but there is none. Check the path or URL; every "
            "machine must find it there."
        ) from error
    # Each store has errors of its own, which share no class.
    except Exception as error:
        raise ConfigurationError(
            f"Expected to read '{location}', but it cannot be read ({type(error).__name__}: "
            f"{error}). Check the permissions or credentials, the network, and the address of the "
            "store."
        ) from error


def _import_fsspec(location: str) -> Any:
    try:
        import fsspec
    except ImportError as error:
        raise ConfigurationError(
            f"Expected the package fsspec, which opens '{location}', but it cannot be imported "
            f"({error}). Install it: pip install 'allennlp-elmo-plugin[distributed]'"
        ) from error
    return fsspec
