"""
The formats of published biLMs: how their files are called, and which belong together.
"""

import logging
import re
from fnmatch import fnmatchcase
from glob import escape
from pathlib import PurePath
from typing import Callable, Iterator, List, NamedTuple, Sequence, Set, Tuple

__all__ = [
    "EXPECTED",
    "PYTORCH_FILE",
    "BilmFile",
    "find_bilm_files",
    "find_companions",
    "find_incomplete",
]

logger = logging.getLogger(__name__)

OPTIONS = ("*options*.json", "options_file")
PYTORCH_FILE = "encoder.pkl"
"""Main file of an ELMoForManyLangs model. PyTorch may write it as a zip, which is no archive."""
LATEST = "checkpoint"
"""Name of the text in which TensorFlow says which checkpoint of a folder is the latest."""
MAC_METADATA = "__MACOSX"


class WeightFormat(NamedTuple):
    """
    A format of weights.

    All names are seen from the folder of the main file, and `{stem}` in them is the name of the
    main file without its ending.

    # Parameters

    title : `str`
        Its description in an error.
    main : `Tuple[str, ...]`
        Patterns of the main file, which stands for all files.
    needed : `str`, optional (default = `""`)
        Name of the file without which the main file is of no use; its `*` stands for the numbers of
        parts.
    others : `Tuple[str, ...]`, optional (default = `()`)
        Patterns of more files that belong to it.
    options : `str`, optional (default = `""`)
        Name of the file from which the options are read if there is no options file.
    """

    title: str
    main: Tuple[str, ...]
    needed: str = ""
    others: Tuple[str, ...] = ()
    options: str = ""


# In order of preference.
WEIGHT_FORMATS = (
    WeightFormat(
        "an HDF5 file ('*.hdf5' or 'weights_file')",
        ("*.hdf5", "weights_file"),
        others=("*softmax*.hdf5", "vocab*.txt"),
    ),
    WeightFormat(
        "a TensorFlow checkpoint ('*.index' beside '*.data-*')",
        ("*.index",),
        needed="{stem}.data-*",
        others=("vocab*.txt", "../assets/*", "../saved_model.pb"),
        options="{stem}.index",
    ),
    WeightFormat(
        "an ELMoForManyLangs model ('encoder.pkl' beside 'token_embedder.pkl')",
        (PYTORCH_FILE,),
        needed="token_embedder.pkl",
        others=("config.json", "*.dic", "cnn_*.json", "*/cnn_*.json"),
        options="config.json",
    ),
)

EXPECTED = {
    "options_file": "options file ('*options*.json' or 'options_file')",
    "weight_file": f"one of: {', '.join(each.title for each in WEIGHT_FORMATS)}",
}
"""Contents that a folder or archive must have, by the key of a config."""


class BilmFile(NamedTuple):
    """
    A file of a biLM.

    # Parameters

    name : `PurePath`
        Its name.
    main : `PurePath`
        The main file of its format, which may be itself.
    """

    name: PurePath
    main: PurePath


def find_bilm_files(
    key: str, names: Sequence[PurePath], read: Callable[[PurePath], str]
) -> List[BilmFile]:
    """
    Finds the options or the weights of a biLM among the files of a folder or archive.

    # Parameters

    key : `str`
        `"options_file"` or `"weight_file"`.
    names : `Sequence[PurePath]`
        Names of the files.
    read : `Callable[[PurePath], str]`
        Reads one of them as text.

    # Returns

    `List[BilmFile]`
        All candidates. For options they are options files, else files from which the options can be
        read. For weights they are the main files of the first format that is there, and of several
        checkpoints in a folder only the latest, if TensorFlow has written down which one it is.
    """
    names = [name for name in names if not _is_leftover(name)]
    options = [name for name in names if _matches(name, OPTIONS)]
    if key == "options_file" and options:
        return [BilmFile(name, name) for name in options]
    present = _present(names)
    for weight_format in WEIGHT_FORMATS:
        mains = [name for name in names if _is_complete(name, weight_format, present)]
        if mains and key == "weight_file":
            return [BilmFile(main, main) for main in _latest(mains, read, present)]
        if mains:
            pairs = [
                BilmFile(main.with_name(weight_format.options.format(stem=main.stem)), main)
                for main in _latest(mains, read, present)
                if weight_format.options
            ]
            return [pair for pair in pairs if pair.name in present]
    return []


def find_companions(main: PurePath, names: Sequence[PurePath]) -> List[PurePath]:
    """
    Finds the files that belong to the main file of a biLM.

    # Parameters

    main : `PurePath`
        The main file.
    names : `Sequence[PurePath]`
        Names of the files of the folder or archive.

    # Returns

    `List[PurePath]`
        Options files, and those of the format.
    """
    formats = [each for each in WEIGHT_FORMATS if _matches(main, each.main)]
    patterns = [
        _seen_from(main, pattern)
        for each in formats
        for pattern in (each.needed, *each.others)
        if pattern
    ]
    return [
        name
        for name in names
        if not _is_leftover(name)
        and name != main
        and (
            (formats and _matches(name, OPTIONS))
            or any(fnmatchcase(name.as_posix(), pattern) for pattern in patterns)
        )
    ]


def find_incomplete(names: Sequence[PurePath]) -> Iterator[str]:
    """
    Yields a description of each main file that lacks the file without which it is of no use.

    # Parameters

    names : `Sequence[PurePath]`
        Names of the files of a folder or archive.
    """
    present = _present(names)
    for weight_format in WEIGHT_FORMATS:
        for name in names:
            is_main = not _is_leftover(name) and _matches(name, weight_format.main)
            if is_main and not _is_complete(name, weight_format, present):
                needed = weight_format.needed.format(stem=name.stem)
                yield f"'{name}' lacks '{needed}' beside it"


def _is_leftover(name: PurePath) -> bool:
    """Returns `True` for files of an interrupted write and those that macOS adds to a zip."""
    return any(part.startswith(".") or part == MAC_METADATA for part in name.parts)


def _matches(name: PurePath, patterns: Sequence[str]) -> bool:
    is_softmax = "softmax" in name.name
    return not is_softmax and any(fnmatchcase(name.name, pattern) for pattern in patterns)


def _present(names: Sequence[PurePath]) -> Set[PurePath]:
    """Returns the names, with those of parts also as `*.data-*`."""
    parts = (
        name.with_name(re.sub(r"\.data-\d+-of-\d+$", ".data-*", name.name))
        for name in names
        if ".data-" in name.name
    )
    return {*names, *parts}


def _is_complete(name: PurePath, weight_format: WeightFormat, present: Set[PurePath]) -> bool:
    if not _matches(name, weight_format.main):
        return False
    needed = weight_format.needed.format(stem=name.stem)
    return not needed or name.with_name(needed) in present


def _seen_from(main: PurePath, pattern: str) -> str:
    folder = main.parent
    if pattern.startswith("../"):
        folder, pattern = folder.parent, pattern[len("../") :]
    return PurePath(escape(folder.as_posix()), pattern.format(stem=escape(main.stem))).as_posix()


def _latest(
    mains: List[PurePath], read: Callable[[PurePath], str], present: Set[PurePath]
) -> List[PurePath]:
    """Leaves out checkpoints beside a text that names another one."""
    if len(mains) == 1:
        return mains
    texts = {main.parent / LATEST for main in mains} & present
    latest = {_latest_name(text, read(text)) for text in texts} & set(mains)
    folders = {main.parent for main in latest}
    for main in latest:
        logger.info("Taking '%s', the latest checkpoint according to '%s' beside it", main, LATEST)
    return [main for main in mains if main in latest or main.parent not in folders]


def _latest_name(text: PurePath, content: str) -> PurePath:
    # The path may be one of the machine that wrote it.
    found = re.search(r'^model_checkpoint_path: *"(.*[/\\])?([^/\\"]+)"', content, re.MULTILINE)
    return text.with_name(found.group(2) + ".index") if found else text
