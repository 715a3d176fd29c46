"""
The sentences that a command reads: those of a file, or of standard input.
"""

import argparse
import shutil
import sys
from pathlib import Path
from typing import Optional, Tuple, Union

from allennlp_elmo_plugin.commands.elmo_arguments import STANDARD_INPUT
from allennlp_elmo_plugin.extraction.inputs.sentence_file import SentenceFile
from allennlp_elmo_plugin.extraction.working_folder import WorkingFolder
from allennlp_elmo_plugin.io.atomic import write_atomically

__all__ = ["input_location", "sentence_source"]


def sentence_source(arguments: argparse.Namespace, folder: WorkingFolder) -> SentenceFile:
    """
    Returns the sentences of INPUT, which can be read more than once.

    # Parameters

    arguments : `argparse.Namespace`
        The parsed arguments, with those of `add_input`.
    folder : `WorkingFolder`
        The working folder of OUTPUT. It receives a copy of standard input.

    # Returns

    `SentenceFile`
    """
    location, name = input_location(arguments, folder)
    return SentenceFile(
        location,
        arguments.input_format,
        arguments.tokenize,
        arguments.keys,
        arguments.blank_lines,
        source_name=name,
        working_folder=Path(arguments.output).parent,
    )


def input_location(
    arguments: argparse.Namespace, folder: WorkingFolder
) -> Tuple[Union[str, Path], Optional[str]]:
    """
    Returns where INPUT can be read more than once.

    # Parameters

    arguments : `argparse.Namespace`
        The parsed arguments.
    folder : `WorkingFolder`
        The working folder of OUTPUT. It receives a copy of standard input.

    # Returns

    `Tuple[Union[str, Path], Optional[str]]`
        Path or URL of the file, and its name in errors, if that is another one.
    """
    if arguments.input != STANDARD_INPUT:
        return arguments.input, None
    # A run that resumes has its copy; a copy without begun work is what an earlier run has left
    # that failed before it began.
    if not (folder.is_begun and folder.input_path.exists()):
        folder.path.mkdir(exist_ok=True)
        with write_atomically(folder.input_path) as partial, open(partial, "wb") as copy:
            shutil.copyfileobj(sys.stdin.buffer, copy)
    return folder.input_path, "standard input"
