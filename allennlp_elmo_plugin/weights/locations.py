"""
Finding the two files of a biLM.

They are named by a path, a URL, a folder, zip or tar that contains them, the name of a published
biLM, or the name of one that comes with the plugin.
"""

import logging
import os
from functools import lru_cache, partial
from pathlib import Path, PurePath
from typing import Callable, List, NamedTuple, Optional, Sequence, Union

from allennlp.common.checks import ConfigurationError
from allennlp.common.file_utils import cached_path
from filelock import FileLock

from allennlp_elmo_plugin.io.atomic import explain_interruption
from allennlp_elmo_plugin.weights.archives import (
    Member,
    archive_members,
    cache_folder,
    extract,
    is_archive,
)
from allennlp_elmo_plugin.weights.folders import files_below
from allennlp_elmo_plugin.weights.formats import (
    EXPECTED,
    PYTORCH_FILE,
    BilmFile,
    find_bilm_files,
    find_companions,
    find_incomplete,
)
from allennlp_elmo_plugin.weights.published.catalogue import PUBLISHED, find_model, suggestion
from allennlp_elmo_plugin.weights.published.download import fetch_file

__all__ = ["find_options_file", "find_weight_file"]

logger = logging.getLogger(__name__)

Location = Union[str, "os.PathLike[str]"]

MAX_LISTED = 20
MAX_TEXT = 500
MAX_TEXT_FILE = 1 << 16
"""In bytes."""

PRETRAINED = "pretrained:"
PRETRAINED_FOLDER = Path(__file__).parent.parent / "pretrained"


class _Request(NamedTuple):
    """A file that is looked for."""

    key: str
    """`"options_file"` or `"weight_file"`."""
    location: Location
    """Where it is looked for."""
    parameter: str
    """Name of the parameter whose value the location is."""

    def __str__(self) -> str:
        return f"'{self.parameter}' names '{self.location}'"


def find_options_file(location: Location, parameter: str = "options_file") -> Path:
    """
    Finds the options file of a biLM.

    # Parameters

    location : `Union[str, PathLike]`
        Path or URL of the file, path or URL of a folder, zip or tar that holds it, `published:` and
        the name of a published biLM, or `pretrained:small`. Such a file is called `options_file`,
        or has `options` in its name and ends in `.json`.
    parameter : `str`, optional (default = `"options_file"`)
        Name of the parameter whose value the location is, for errors.

    # Returns

    `Path`
        Path of a local file. Without an options file, it is that from which the options can be
        read: the `config.json` of an ELMoForManyLangs model, or the `.index` of a TensorFlow
        checkpoint, the same as `find_weight_file` returns.

    # Raises

    `ConfigurationError`
        If there is nothing at the location, if it cannot be downloaded, or if the folder or archive
        contains no such file or several.
    """
    return _find(_Request("options_file", location, parameter))


def find_weight_file(location: Location, parameter: str = "weight_file") -> Path:
    """
    Finds the weights of a biLM.

    # Parameters

    location : `Union[str, PathLike]`
        Path or URL of the file, path or URL of a folder, zip or tar that holds it, `published:` and
        the name of a published biLM, or `pretrained:small`. Also the prefix of a TensorFlow
        checkpoint.
    parameter : `str`, optional (default = `"weight_file"`)
        Name of the parameter whose value the location is, for errors.

    # Returns

    `Path`
        Path of a local file: an HDF5 file, else the `.index` of a TensorFlow checkpoint, else the
        `encoder.pkl` of an ELMoForManyLangs model. The files that belong to it are beside it. Files
        with `softmax` in their name do not count.

    # Raises

    `ConfigurationError`
        If there is nothing at the location, if it cannot be downloaded, or if the folder or archive
        contains no such file or several.
    """
    return _find(_Request("weight_file", location, parameter))


def _find(request: _Request) -> Path:
    location = request.location
    if not isinstance(location, (str, os.PathLike)):
        raise ConfigurationError(
            f"Expected '{request.parameter}' to be a path or a URL, got "
            f"{location!r:.{MAX_TEXT}}. Leave it out for the published biLM."
        )
    text = os.fspath(location)
    if text.startswith(PUBLISHED):
        model = find_model(text[len(PUBLISHED) :])
        return fetch_file(
            model, request.key, partial(_find_local, member="", request=request), request.parameter
        )
    if text.startswith(PRETRAINED):
        text = str(_pretrained_folder(text, request.parameter))
    member = ""
    # AllenNLP's way to name a file in an archive.
    if "!" in text and not os.path.exists(text):
        text, _, member = text.partition("!")
    index = os.path.expanduser(f"{text}.index")
    if not member and os.path.isfile(index) and not os.path.exists(text):
        return _find_of_checkpoint(Path(index), request)
    return _find_local(_local_path(text, request), member, request)


def _find_local(path: Path, member: str, request: _Request) -> Path:
    """Finds a file in a folder or archive, or is itself the file."""
    if path.is_dir() and not member:
        names = sorted(files_below(path))
        found = find_bilm_files(request.key, names, partial(_read_text, path))
        _require_one(found, names, request, explain_interruption(path))
        return path / found[0].name
    try:
        if path.is_file() and path.name != PYTORCH_FILE and is_archive(path):
            return _find_in_archive(path, member, request)
    except ConfigurationError:
        raise
    except Exception as error:
        raise ConfigurationError(
            f"{request}, an archive that cannot be extracted "
            f"({str(error)[:MAX_TEXT] or type(error).__name__}). Download it again, or extract it "
            "and name the file itself."
        ) from error
    if member:
        raise ConfigurationError(
            f"{request}. Expected an archive before the '!', but '{path}' is "
            "neither a zip nor a tar. Name the file itself."
        )
    return path


def _find_of_checkpoint(index: Path, request: _Request) -> Path:
    """Finds a file by the prefix of a checkpoint. Its options may be in its folder."""
    folder, main = index.parent, PurePath(index.name)
    names = [PurePath(entry.name) for entry in os.scandir(folder) if entry.is_file()]
    names = [main, *find_companions(main, names)]
    found = find_bilm_files(request.key, names, partial(_read_text, folder))
    _require_one(found, names, request)
    return folder / found[0].name


def _local_path(text: str, request: _Request) -> Path:
    try:
        return Path(cached_path(text))
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"{request}, but there is no such file. Check the path; a relative "
            f"one starts at the working directory, '{os.getcwd()}'."
            f"{explain_interruption(Path(request.location).parent)}"
        ) from error
    except Exception as error:
        raise ConfigurationError(
            f"{request}, but it could not be found or downloaded "
            f"({str(error)[:MAX_TEXT]}). Check the path or URL and the network, or give the path "
            "of a local copy."
        ) from error


def _find_in_archive(path: Path, member: str, request: _Request) -> Path:
    folder, inner = cache_folder(path, member), PurePath(member)
    found = _find_extracted(folder, inner, request.key)
    if found is not None:
        return found
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Processes that start together must not replace each other's files.
    with FileLock(f"{folder}.lock"):
        found = _find_extracted(folder, inner, request.key)
        return found or _extract(path, folder, inner, request)


def _find_extracted(folder: Path, inner: PurePath, key: str) -> Optional[Path]:
    found = _candidates(key, inner, list(files_below(folder)), partial(_read_text, folder))
    return folder / found[0].name if len(found) == 1 else None


def _extract(path: Path, folder: Path, inner: PurePath, request: _Request) -> Path:
    with archive_members(path) as members:
        # If a name is there twice, the last file counts, as for every other program.
        files = {file.name: file for file in members}
        names = list(files)
        found = _candidates(request.key, inner, names, lambda name: _read_member(files[name]))
        _require_one(found, names, request)
        ((name, main),) = found
        logger.info("Extracting '%s' of '%s' into '%s'", main, path, folder)
        wanted = {main, *find_companions(main, names)}
        extract([files[each] for each in names if each in wanted], main, folder)
    return folder / name


def _candidates(
    key: str, inner: PurePath, names: Sequence[PurePath], read: Callable[[PurePath], str]
) -> List[BilmFile]:
    """Finds the files of a biLM in an archive, of which a file, folder or checkpoint is named."""
    if inner in names:
        return [BilmFile(inner, inner)]
    index = inner.with_name(inner.name + ".index") if inner.name else inner
    if index in names:
        return find_bilm_files(key, [index, *find_companions(index, names)], read)
    return find_bilm_files(key, [name for name in names if inner in name.parents], read)


def _read_text(folder: Path, name: PurePath) -> str:
    with open(folder / name, "rb") as file:
        return file.read(MAX_TEXT_FILE).decode(errors="replace")


def _read_member(member: Member) -> str:
    with member.open() as file:
        return file.read(MAX_TEXT_FILE).decode(errors="replace")


def _require_one(
    found: Sequence[BilmFile],
    names: Sequence[PurePath],
    request: _Request,
    explanation: str = "",
) -> None:
    if len(found) == 1:
        return
    candidates = _listed(sorted(str(file.name) for file in found)) or "none"
    incomplete = _listed(sorted(find_incomplete(names))) if request.key == "weight_file" else ""
    raise ConfigurationError(
        f"{request}. Expected exactly one {EXPECTED[request.key]} in there, found "
        f"{candidates}. {incomplete and incomplete + '. '}Name the file itself: 'FOLDER/FILE', or "
        f"'ARCHIVE!FILE'.{explanation}"
    )


def _listed(texts: Sequence[str]) -> str:
    listed = ", ".join(text[:MAX_TEXT] for text in texts[:MAX_LISTED])
    more = len(texts) - MAX_LISTED
    return listed + (f" and {more} more" if more > 0 else "")


def _pretrained_folder(text: str, parameter: str) -> Path:
    """Returns the folder of a biLM that comes with the plugin."""
    folders = sorted(folder.name for folder in PRETRAINED_FOLDER.iterdir() if folder.is_dir())
    name = text[len(PRETRAINED) :]
    if name not in folders:
        names = ", ".join(PRETRAINED + folder for folder in folders)
        raise ConfigurationError(
            f"'{parameter}' names '{text}', but the plugin has no biLM of that name."
            f"{suggestion(name, folders, PRETRAINED)} Use one of: {names}; or one of those that "
            f"'allennlp elmo-models' lists, after '{PUBLISHED}'."
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
