"""The command `allennlp elmo`, run in this process, and readers of what it writes."""

import io
import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Type
from unittest.mock import patch

import h5py
import numpy
from allennlp.commands import main

from allennlp_elmo_plugin.extraction import job
from allennlp_elmo_plugin.extraction.engine import SentenceEngine
from allennlp_elmo_plugin.extraction.extractor import ElmoExtractor
from tests.support.elmo_files import elmo_options, write_elmo_files

__all__ = [
    "SIZES",
    "CommandFolder",
    "failing_after",
    "read_hdf5",
    "read_sentence_index",
    "write_command_folder",
]

SIZES: Dict[str, Any] = {"filters": [(1, 4), (2, 12)], "projection_dim": 16, "cell_size": 32}


class CommandFolder(NamedTuple):
    """
    A folder with a small biLM in `elmo` and sentences in `in.txt`.

    # Parameters

    path : `Path`
        Path of the folder.
    """

    path: Path

    def run(
        self, source: str, output: str, *options: str, model: str = "elmo", state: str = "zero"
    ) -> None:
        """
        Runs the command.

        # Parameters

        source, output : `str`
            Names of files in the folder, or `-`.
        *options
            More arguments.
        model : `str`, optional (default = `"elmo"`)
            Name of the biLM in the folder. An empty one leaves out `--model`.
        state : `str`, optional (default = `"zero"`)
            Initial state.
        """
        arguments = ["elmo", source if source == "-" else str(self.path / source)]
        arguments += [str(self.path / output), "--initial-state", state]
        arguments += ["--model", str(self.path / model)] if model else []
        # The plugin is loaded already, and others are not tested here.
        with patch.object(sys, "argv", ["allennlp", *arguments, *map(str, options)]), patch(
            "allennlp.commands.import_plugins"
        ):
            main()

    def run_with_input(self, text: str, output: str, *options: str, model: str = "elmo") -> None:
        """Runs the command with a text for standard input."""
        stream = io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8")
        with patch.object(sys, "stdin", stream):
            self.run("-", output, *options, model=model)

    def write(self, name: str, text: str) -> str:
        """Writes a text file into the folder, and returns its path."""
        (self.path / name).write_text(text, encoding="utf-8")
        return str(self.path / name)

    def names(self) -> List[str]:
        """Returns the names in the folder, without those that it began with."""
        return sorted(set(map(str, self.relative_names())) - {"elmo", "in.txt"})

    def relative_names(self) -> Iterator[str]:
        """Yields the names in the folder."""
        return (path.name for path in self.path.iterdir())


def write_command_folder(path: Path, lines: str) -> CommandFolder:
    """Writes a small biLM, and lines into `in.txt`."""
    write_elmo_files(path / "elmo", elmo_options(**SIZES), seed=3)
    (path / "in.txt").write_text(lines, encoding="utf-8")
    return CommandFolder(path)


@contextmanager
def failing_after(
    num_windows: int,
    error: Type[BaseException] = KeyboardInterrupt,
    engine: Type[SentenceEngine] = ElmoExtractor,
) -> Iterator[None]:
    """Commits after every window, and raises an error in place of a later one."""
    run = engine.run_window
    num_calls = 0

    def run_window(self: SentenceEngine, window: Any) -> Any:
        nonlocal num_calls
        num_calls += 1
        if num_calls > num_windows:
            raise error("stopped")
        return run(self, window)

    with patch.object(engine, "run_window", run_window), patch.object(job, "COMMIT_SECONDS", 0.0):
        yield


def read_hdf5(path: Path) -> Dict[str, numpy.ndarray]:
    """Returns the arrays of an HDF5 file as AllenNLP 0.9's readers do, without its table."""
    with h5py.File(path, "r") as file:
        return {key: file[key][...] for key in file if key != "sentence_to_index"}


def read_sentence_index(path: Path) -> Dict[str, str]:
    """Returns the table of an HDF5 file as AllenNLP 0.9's readers do."""
    with h5py.File(path, "r") as file:
        index: Dict[str, str] = json.loads(file.get("sentence_to_index")[0])
        return index
