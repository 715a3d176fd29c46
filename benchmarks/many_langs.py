"""
Time that a biLM of ELMoForManyLangs takes to load, beside the time of copying its files.
"""

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Callable, Dict

import torch

from allennlp_elmo_plugin import ElmoBilm
from allennlp_elmo_plugin.network.spelling import Dictionary
from benchmarks.report import Section, Table, mebibytes, milliseconds, times
from benchmarks.settings import Settings
from benchmarks.shapes import SHAPES
from benchmarks.timing import interleaved_medians, seconds_of

__all__ = ["measure_many_langs"]

OPTIONS = replace(
    SHAPES["2x4096_512"],
    char_embedding_dim=50,
    word_embedding_dim=100,
    num_words=140_384,
    num_characters=15_889,
)
"""Sizes of a published biLM."""
ENTRIES = ("<oov>", "<pad>", "<bos>", "<eos>", "<bow>", "<eow>")
"""Entries of every dictionary."""
FIRST_LETTER = 0x4E00
"""The first of many characters that are letters."""


def measure_many_langs(settings: Settings) -> Section:
    """
    Times loading a converted biLM and `shutil.copyfile` of its files, interleaved.

    The files are in the system's page cache.

    # Parameters

    settings : `Settings`
        Number of rounds. The models of the run are not used.

    # Returns

    `Section`
        Both times.
    """
    with TemporaryDirectory() as name:
        folder, copies = Path(name) / "elmo", Path(name) / "copies"
        copies.mkdir()
        torch.manual_seed(0)
        ElmoBilm(replace(OPTIONS, dictionary=_dictionary())).to_folder(folder)
        tasks: Dict[str, Callable[[], object]] = {
            "copying": partial(_copy, folder, copies),
            "loading": partial(ElmoBilm.from_files, folder, folder),
        }
        for task in tasks.values():
            seconds_of(task)
        size = sum(path.stat().st_size for path in folder.iterdir())
        seconds = interleaved_medians(tasks, settings.rounds)
    row = {**seconds, "size": size, "ratio": seconds["loading"] / seconds["copying"]}
    table = Table(
        "Loading a converted biLM of ELMoForManyLangs: milliseconds",
        ("MiB", "copying", "loading", "ratio"),
        [
            (
                mebibytes(size),
                *(milliseconds(seconds[task]) for task in tasks),
                times(row["ratio"]),
            )
        ],
    )
    return Section({"many_langs": [row]}, [table])


def _dictionary() -> Dictionary:
    """Returns a dictionary whose words are numbers."""
    words = map(str, range(OPTIONS.num_words - len(ENTRIES)))
    letters = (chr(FIRST_LETTER + i) for i in range(OPTIONS.num_characters - len(ENTRIES)))
    return Dictionary("\n".join([*ENTRIES, *words]), "\n".join([*ENTRIES, *letters]))


def _copy(folder: Path, copies: Path) -> None:
    for path in folder.iterdir():
        shutil.copyfile(path, copies / path.name)
