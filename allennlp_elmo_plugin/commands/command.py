"""
The base class of the plugin's subcommands.
"""

import argparse
from abc import abstractmethod
from textwrap import fill
from typing import Optional

from allennlp.commands.subcommand import Subcommand
from overrides import overrides

__all__ = ["ElmoCommand"]


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
        """

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
        subparser.set_defaults(func=self.run)
        return subparser
