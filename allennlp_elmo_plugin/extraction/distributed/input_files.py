"""
Finding the input files that a path, a glob or a URL stands for.
"""

import os
import re
from typing import Any, Dict, List, NamedTuple, Tuple, Union

from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.io.file_systems import explain_errors, file_version, open_file_system

__all__ = ["InputFile", "describe_file", "find_input_files"]

MAGIC = re.compile(r"[*?\[]")


class InputFile(NamedTuple):
    """
    An input file, in the version that was found.

    # Parameters

    location : `str`
        Absolute path or URL.
    name : `str`
        Path from the folder that was named, or from the folder before the first `*` of a glob.
    size : `int`
        Size in bytes.
    version : `str`
        Digest of the size and of the entity tag or the time of the last change.
    """

    location: str
    name: str
    size: int
    version: str


def find_input_files(location: Union[str, "os.PathLike[str]"]) -> List[InputFile]:
    """
    Finds the files of an input.

    # Parameters

    location : `Union[str, PathLike]`
        Path or URL of a file; a glob, such as `corpus/*.txt.gz`, in which `**` stands for folders
        in folders; or a folder, for all files in it and in its folders, but for those whose name,
        or whose folder's name, begins with `.` or `_`. A glob finds names that begin with `.` only
        if it has such a name itself. A file that has the name of a glob is that file.

    # Returns

    `List[InputFile]`
        The files, sorted by their names.

    # Raises

    `ConfigurationError`
        If nothing is found, if one is not a regular file or has a name that is not UTF-8, or if the
        files cannot be listed.
    """
    text = os.fspath(location)
    file_system, path = open_file_system(text)
    with explain_errors(text):
        # Listings are kept, and may be older than the files.
        file_system.invalidate_cache()
        try:
            found = file_system.info(path)
        except FileNotFoundError:
            found = None
        if found is None:
            folder, infos, kind = _expand(file_system, path)
        elif found["type"] == "directory":
            folder, infos, kind = path, _walk(file_system, path), "folder"
        else:
            folder, infos, kind = _parent(path), {path: found}, "file"
    if not infos:
        raise _nothing_found(text, path, kind)
    prefix = folder.rstrip("/") + "/"
    files = (
        _input_file(file_system, path, path[len(prefix) :], info) for path, info in infos.items()
    )
    return sorted(files, key=lambda file: file.name)


def describe_file(location: str) -> InputFile:
    """
    Returns an input file as it is now.

    # Parameters

    location : `str`
        Absolute path or URL of a file.

    # Returns

    `InputFile`
        The file. Its name is that in its folder.

    # Raises

    `ConfigurationError`
        If there is no such file, or if it cannot be read.
    """
    file_system, path = open_file_system(location)
    with explain_errors(location):
        file_system.invalidate_cache(path)
        info = file_system.info(path)
    return _input_file(file_system, path, path[len(_parent(path)) :].lstrip("/"), info)


def _walk(file_system: Any, folder: str) -> Dict[str, Any]:
    """Returns the facts of all files in a folder by their paths."""
    # fsspec's own walk leaves out folders that cannot be read without a word.
    files: Dict[str, Any] = {}
    waiting = [folder]
    while waiting:
        parent = waiting.pop()
        for info in file_system.ls(parent, detail=True):
            path = info["name"].rstrip("/")
            # A store lists the empty object that stands for a folder, too.
            if path == parent or path.rsplit("/", 1)[-1][:1] in (".", "_"):
                continue
            if info["type"] == "directory":
                waiting.append(path)
            else:
                files[path] = info
    return files


def _expand(file_system: Any, pattern: str) -> Tuple[str, Dict[str, Any], str]:
    """Returns the folder before the first `*`, the facts of the files of a glob, and its kind."""
    magic = MAGIC.search(pattern)
    if magic is None:
        return "", {}, "file, folder or glob"
    folder = _parent(pattern[: magic.start()])
    infos = file_system.glob(pattern, detail=True)
    start = len(folder.rstrip("/")) + 1
    has_hidden = any(name.startswith(".") for name in pattern[start:].split("/"))
    files = {
        path: info
        for path, info in infos.items()
        if info["type"] != "directory"
        and (has_hidden or not any(name[:1] == "." for name in path[start:].split("/")))
    }
    return folder, files, "glob"


def _parent(path: str) -> str:
    """Returns the path up to its last slash, which is kept if it is the first character."""
    folder, slash, _ = path.rpartition("/")
    return folder or slash


def _input_file(file_system: Any, path: str, name: str, info: Dict[str, Any]) -> InputFile:
    is_local = "file" in file_system.protocol
    location = path if is_local else file_system.unstrip_protocol(path)
    _require_utf8(location)
    with explain_errors(location):
        # A listing describes a link itself, and that of a web server tells no sizes.
        if info.get("islink") or info["size"] is None:
            info = file_system.info(path)
    if info["type"] != "file":
        raise ConfigurationError(
            f"Expected a regular file at '{location}', but it is none (a folder, a pipe or a "
            "device). Name the files themselves, or a folder that has only files and folders."
        )
    if info["size"] is None:
        raise ConfigurationError(
            f"Expected the size of '{location}', so that it can be cut, but its server does not "
            "tell it. Download the file, and give its path."
        )
    return InputFile(location, name, int(info["size"]), file_version(info))


def _require_utf8(location: str) -> None:
    try:
        location.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ConfigurationError(
            "Expected files whose names are text in UTF-8, since keys and receipts hold them, got "
            f"{location.encode('utf-8', 'surrogateescape')!r}. Rename the file or its folder."
        ) from error


def _nothing_found(location: str, path: str, kind: str) -> ConfigurationError:
    looked_for = {
        "folder": f"one or more files in the folder '{path}' or in its folders, whose names do not "
        "begin with '.' or '_'",
        "glob": f"one or more files that match '{path}'",
    }.get(kind, f"a file or folder at '{path}'")
    advice = "" if path == location else f" '{location}' was given."
    return ConfigurationError(
        f"Expected {looked_for}, but there is none.{advice} Check the path or URL; every machine "
        "must find the files there."
    )
