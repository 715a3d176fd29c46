"""
The base class of the plugin's subcommands.
"""

import argparse
import logging
import sys
from abc import abstractmethod
from textwrap import fill
from typing import Optional, Union

from allennlp.commands.subcommand import Subcommand
from allennlp.common.checks import ConfigurationError
from overrides import overrides

__all__ = ["ElmoCommand"]

logger = logging.getLogger(__name__)

INTERRUPTED = 130
"""Exit status of a program that Ctrl-C has ended."""


class ElmoCommand(Subcommand):
    """
    A subcommand of `allennlp` that states its description, its arguments and what it runs.
    """

    description: str
    """The text that `--help` shows."""
    epilog: Optional[str] = None
    """Text that `--help` shows at the end, with its line breaks."""

    @abstractmethod
    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """
        Adds the arguments of the command.

        # Parameters

        parser : `argparse.ArgumentParser`
            Parser of this command alone.
        """

    @abstractmethod
    def run(self, arguments: argparse.Namespace) -> None:
        """
        Runs the command and prints what it wrote.

        # Parameters

        arguments : `argparse.Namespace`
            The parsed arguments.

        # Raises

        `ConfigurationError`
            If an argument or a file is not as expected.
        """

    def how_to_go_on(self, arguments: argparse.Namespace) -> str:
        """
        Returns what a user is told to do after Ctrl-C, which is nothing for most commands.

        # Parameters

        arguments : `argparse.Namespace`
            The parsed arguments.

        # Returns

        `str`
            A sentence, or an empty text.
        """
        return ""

    def run_as_program(self, arguments: argparse.Namespace) -> None:
        """
        Runs the command, and ends the program with a message for errors that a user can mend.

        These are wrong arguments and files, and errors of the operating system about a file. Their
        traceback is in the log at the level DEBUG. Any other error is one of the program, and
        leaves it with its traceback.

        # Parameters

        arguments : `argparse.Namespace`
            The parsed arguments.

        # Raises

        `SystemExit`
            With status 1 after such an error, and 130 after Ctrl-C.
        """
        try:
            self.run(arguments)
        except KeyboardInterrupt:
            print(f"Interrupted. {self.how_to_go_on(arguments)}".rstrip(), file=sys.stderr)
            sys.exit(INTERRUPTED)
        except (ConfigurationError, OSError) as error:
            if not _is_for_users(error):
                raise
            logger.debug("The error was raised here:", exc_info=True)
            # Python prints the message and exits with status 1.
            raise SystemExit(f"allennlp {self.name}: error: {error}") from error

    @overrides
    def add_subparser(self, parser: "argparse._SubParsersAction") -> argparse.ArgumentParser:
        """
        Adds the command to the command line of `allennlp`.

        # Parameters

        parser : `argparse._SubParsersAction`
            Subparsers of `allennlp`.

        # Returns

        `argparse.ArgumentParser`
            Parser of this command.
        """
        subparser = parser.add_parser(
            self.name,
            description=fill(self.description, 79),
            help=self.description,
            epilog=self.epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        self.add_arguments(subparser)
        subparser.set_defaults(func=self.run_as_program)
        return subparser


def _is_for_users(error: Union[ConfigurationError, OSError]) -> bool:
    # Without a file's name, an error of the system does not say what to mend.
    return isinstance(error, ConfigurationError) or error.filename is not None
