"""
Reading and writing the files of `torch.save`: whole, without running code, or with a clear error.
"""

import inspect
import os
import shutil
import zlib
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, List, Optional, Union
from zipfile import BadZipFile, ZipFile, ZipInfo

import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.io.atomic import write_atomically
from allennlp_elmo_plugin.io.patient_file import PatientFile
from allennlp_elmo_plugin.io.tensor_pickle import TENSOR_PICKLE

__all__ = ["DamagedFileError", "damage_of", "is_torch_zip", "load_torch_file", "save_torch_file"]

ZIP_SIGNATURE = b"PK\x03\x04"
"""First bytes of what `torch.save` writes since torch 1.6."""

FOLDER_FLAG = 0x10
"""Bit of the attributes of a record that is a folder."""

# `NotImplementedError` is for compressions and versions of zip that `zipfile` lacks.
DAMAGED_ZIP = (
    BadZipFile,
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
    zlib.error,
)
"""Errors that Python's `zipfile` raises for damaged files."""

# A damaged pickle can raise almost anything.
DAMAGED_PICKLE = (
    *DAMAGED_ZIP,
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    MemoryError,
    TypeError,
)


class DamagedFileError(ConfigurationError):
    """
    The error for a file that is empty, cut off, or changed since it was written.
    """


def save_torch_file(content: Any, path: Union[str, "os.PathLike[str]"]) -> None:
    """
    Writes a file with `torch.save`; it appears complete or not at all.

    # Parameters

    content : `Any`
        Any object for `torch.save`.
    path : `Union[str, PathLike]`
        Path of the file. A file that is already there is replaced.

    # Raises

    `ConfigurationError`
        If the disk is full or fails. What was at `path` before is still there.
    """
    try:
        with write_atomically(Path(path)) as partial, PatientFile(partial, "wb") as file:
            torch.save(content, file)
            if file.error is not None:
                raise file.error
    except OSError as error:
        folder = os.path.dirname(os.path.abspath(path))
        free = f"{shutil.disk_usage(folder).free:,} bytes" if os.path.isdir(folder) else "no folder"
        raise ConfigurationError(
            f"Expected to write '{path}', but the write failed ({error}; its disk has {free} "
            "free). Files that were complete before are still complete. Make room; a training "
            "then continues with 'allennlp train --recover'."
        ) from error


def load_torch_file(
    path: Any, *args: Any, checked: bool = True, tensors_only: bool = False, **options: Any
) -> Any:
    """
    Reads a file with `torch.load`, with `weights_only` if that exists (from PyTorch 1.13 on).

    # Parameters

    path : `Union[str, PathLike, BinaryIO]`
        Path of the file, or an open file. An open file is not checked.
    checked : `bool`, optional (default = `True`)
        If `True`, compare every record with its checksum first, which `torch.load` does not do. It
        takes two thirds of the time of loading. Files of torch before 1.6 have no checksums.
    tensors_only : `bool`, optional (default = `False`)
        If `True`, refuse everything but tensors also where PyTorch has no `weights_only`.
    args, options :
        Further arguments of `torch.load`.

    # Raises

    `DamagedFileError`
        If the file is empty, cut off or damaged.
    `ConfigurationError`
        If the file holds objects that `torch.load` refuses.
    """
    if "weights_only" in inspect.signature(torch.load).parameters:
        options.setdefault("weights_only", True)
    elif tensors_only:
        options["pickle_module"] = TENSOR_PICKLE
    if not isinstance(path, (str, os.PathLike)):
        return torch.load(path, *args, **options)
    damage = damage_of(path, checked)
    if damage is not None:
        raise DamagedFileError(_message(path, damage))
    try:
        return torch.load(path, *args, **options)
    except UnpicklingError as error:
        if not is_torch_zip(path):
            raise DamagedFileError(_message(path, f"it cannot be read ({error})")) from error
        # The checksums are right, so somebody wrote these objects on purpose.
        raise ConfigurationError(
            f"Expected weights and plain values in '{path}', but it holds objects that "
            "'torch.load' refuses, because loading them can run any code. "
            f"{_refusal(error)} If you trust whoever wrote the file, allow the class with "
            "torch.serialization.add_safe_globals, or load the file with weights_only=False and "
            "save its weights alone."
        ) from error
    except DAMAGED_PICKLE as error:
        # Files that cannot be opened, and devices that are missing, are no damage.
        if getattr(error, "errno", None) is not None or "CUDA" in str(error):
            raise
        reason = f"it cannot be read ({type(error).__name__}: {error})"
        raise DamagedFileError(_message(path, reason)) from error


def damage_of(path: Union[str, "os.PathLike[str]"], checked: bool = True) -> Optional[str]:
    """
    Looks for damage of a file without unpickling it.

    # Parameters

    path : `Union[str, PathLike]`
        Path of the file.
    checked : `bool`, optional (default = `True`)
        If `True`, compare every record with its checksum. This reads the file once.

    # Returns

    `Optional[str]`
        A description of the damage, or `None`.
    """
    if os.path.isdir(path):
        return "it is a folder"
    size = os.path.getsize(path)
    if size == 0:
        return "it is empty"
    if not is_torch_zip(path):
        return None
    try:
        with ZipFile(path) as file:
            total = _total_size(file.infolist())
            if total > size:
                return f"its records unpack to {total:,} bytes, and it has only {size:,}"
            # PyTorch reads nothing for a folder: the numbers would be what was in memory before.
            folders = [record for record in file.infolist() if record.external_attr & FOLDER_FLAG]
            if folders:
                return f"its record '{folders[0].filename}' is marked as a folder"
            record = file.testzip() if checked and _has_checksums() else None
    except DAMAGED_ZIP as error:
        return f"it is cut off or damaged ({error})"
    return None if record is None else f"the checksum of its record '{record}' does not match"


def is_torch_zip(path: Union[str, "os.PathLike[str]"]) -> bool:
    """
    Returns `True` for a file of `torch.save` since torch 1.6, also if it is cut off.

    # Parameters

    path : `Union[str, PathLike]`
        Path of the file.
    """
    with open(path, "rb") as file:
        return file.read(len(ZIP_SIGNATURE)) == ZIP_SIGNATURE


def _total_size(records: List[ZipInfo]) -> int:
    """Returns the size of all records, which `torch.save` does not compress."""
    return sum(record.file_size for record in records)


def _has_checksums() -> bool:
    """Returns `False` if the user has switched the checksums of `torch.save` off."""
    return getattr(torch.serialization, "get_crc32_options", lambda: True)()


def _refusal(error: UnpicklingError) -> str:
    """Returns the line of PyTorch's long message that names what is refused."""
    lines = str(error).splitlines()
    return next((line.strip() for line in lines if "nsupported" in line), lines[0])


def _message(path: Any, damage: str) -> str:
    return (
        f"Expected a whole file of torch.save at '{path}', but {damage}. Get it again from where "
        "it came from, or go back to an older one."
    )
