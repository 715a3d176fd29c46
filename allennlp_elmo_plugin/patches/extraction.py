"""
A patch for unpacking archives: nothing is written outside of the folder, and nothing remains.

AllenNLP extracts every member as it is. An absolute name, `..` or a link can then overwrite any
file of the user, and a small archive can fill the disk.
"""

import gzip
import importlib
import os
import shutil
import tarfile
import tempfile
import zlib
from contextlib import contextmanager
from typing import Any, Dict, Iterator

from allennlp.common.checks import ConfigurationError
from allennlp.models import archival

from allennlp_elmo_plugin.io.regular_file import require_regular_file
from allennlp_elmo_plugin.patches.methods import Method, replace_method
from allennlp_elmo_plugin.patches.tar_members import MemberChecks

__all__ = ["patch_extraction"]

DAMAGED_TAR = (
    EOFError,
    FileExistsError,
    IsADirectoryError,
    LookupError,
    NotADirectoryError,
    OverflowError,
    RecursionError,
    ValueError,
    gzip.BadGzipFile,
    tarfile.TarError,
    zlib.error,
)
"""Errors for damaged files, and for members that stand in each other's way."""

MAX_HEADER_BYTES = 1 << 18
"""The largest header that is read. A header's size is what the archive claims."""

MAX_PADDING_BYTES = 1 << 24
"""The largest number of bytes after the last member."""


class _BoundedReader(gzip.GzipFile):
    """
    A reader of compressed files that refuses to read much at once, as no honest header needs.
    """

    last_read = b""
    """The bytes that were read last."""

    def read(self, size: Any = -1) -> bytes:
        if size is None or not 0 <= size <= MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"a header claims to have {size:,} bytes")
        self.last_read = super().read(size)
        return self.last_read


def _extract(archive_file: str, folder: str) -> None:
    """Extracts an archive, each member after its check, so that it is read only once."""
    require_regular_file(archive_file, "an archive (tar.gz)")
    checks = MemberChecks(archive_file, shutil.disk_usage(folder).free)
    options: Dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
    with _BoundedReader(archive_file) as reader, tarfile.open(fileobj=reader, mode="r:") as archive:
        for member in archive:
            checks.check(member)
            archive.extract(member, folder, set_attrs=False, **options)
        # `tarfile` takes a damaged header for the end, which is a block of zeros.
        if any(reader.last_read):
            raise tarfile.ReadError("a header is damaged")
        # Only the end of the file has the checksum.
        _read_padding(reader)


def _read_padding(reader: _BoundedReader) -> None:
    remaining = MAX_PADDING_BYTES
    while remaining > 0:
        size = len(reader.read(MAX_HEADER_BYTES))
        if size == 0:
            return
        remaining -= size
    raise tarfile.ReadError(f"more than {MAX_PADDING_BYTES:,} bytes follow the last member")


def _patch(extracted_archive: Method) -> Method:
    @contextmanager
    def patched(resolved_archive_file: Any, cleanup: bool = True) -> Iterator[str]:
        folder = tempfile.mkdtemp()
        archival.logger.info(
            f"extracting archive file {resolved_archive_file} to temp dir {folder}"
        )
        try:
            _extract(os.fspath(resolved_archive_file), folder)
        except DAMAGED_TAR as error:
            shutil.rmtree(folder)
            raise ConfigurationError(
                f"Expected a whole archive (tar.gz) at '{resolved_archive_file}', but it cannot be "
                f"unpacked ({type(error).__name__}: {error}). Get it again from its source."
            ) from error
        except BaseException:
            shutil.rmtree(folder)
            raise
        try:
            yield folder
        finally:
            if cleanup:
                archival.logger.info(f"removing temporary unarchived model dir at {folder}")
                shutil.rmtree(folder, ignore_errors=True)

    return patched


def _patch_check_tarfile(check_tarfile: Method) -> Method:
    def patched(tar_file: tarfile.TarFile) -> None:
        checks = MemberChecks(str(tar_file.name))
        for member in tar_file:
            checks.check(member)
        check_tarfile(tar_file)

    return patched


def patch_extraction() -> None:
    """
    Lets AllenNLP extract only plain files, folders and links that stay within the archive.

    Anything else gives a `ConfigurationError` that names archive and member, and nothing of the
    archive stays on the disk. The same checks come before what `cached_path` extracts.
    """
    replace_method(archival, "extracted_archive", _patch)
    # The package and its module have the same name.
    module = importlib.import_module("cached_path._cached_path")
    replace_method(module, "check_tarfile", _patch_check_tarfile)
