"""
The base class of subcommands that go on after they were stopped.
"""

import argparse
from abc import abstractmethod
from pathlib import Path

from allennlp.common import logging as common_logging
from overrides import overrides

from allennlp_elmo_plugin.commands.command import ElmoCommand
from allennlp_elmo_plugin.extraction.output_paths import require_output_path
from allennlp_elmo_plugin.extraction.working_folder import WorkingFolder

__all__ = ["ResumableCommand"]


class ResumableCommand(ElmoCommand):
    """
    A subcommand that runs a text into an output, and goes on with `--resume`.

    Its arguments are those of `add_running`, and `output`.
    """

    @abstractmethod
    def run_text(self, arguments: argparse.Namespace, folder: WorkingFolder) -> None:
        """
        Runs the text and prints what was written.

        # Parameters

        arguments : `argparse.Namespace`
            The parsed arguments.
        folder : `WorkingFolder`
            The folder of the unfinished work.

        # Raises

        `ConfigurationError`
            If an argument or a file is not as expected.
        """

    @overrides
    def run(self, arguments: argparse.Namespace) -> None:
        common_logging.FILE_FRIENDLY_LOGGING = arguments.file_friendly_logging
        output = Path(arguments.output)
        require_output_path(output)
        folder = WorkingFolder(output)
        if not arguments.resume:
            folder.require_unused()
        with folder.discarded_unless_begun():
            self.run_text(arguments, folder)

    @overrides
    def how_to_go_on(self, arguments: argparse.Namespace) -> str:
        is_begun = WorkingFolder(Path(arguments.output)).is_begun
        return "Run the same command with --resume to go on." if is_begun else ""
