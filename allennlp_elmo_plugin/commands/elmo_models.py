"""
`allennlp elmo-models`: lists published biLMs, and describes one.
"""

import argparse

from allennlp.commands.subcommand import Subcommand
from overrides import overrides

from allennlp_elmo_plugin.commands.command import ElmoCommand
from allennlp_elmo_plugin.weights.published.listing import describe_model, list_models

__all__ = ["ElmoModels"]


@Subcommand.register("elmo-models")
class ElmoModels(ElmoCommand):
    """
    Lists the published biLMs that can be used by their names, and describes one.

    Registered as a `Subcommand` with name "elmo-models".
    """

    description = (
        "List the published ELMos that can be used by name: languages, sizes, and which of them "
        "are here already. With a NAME, describe one: addresses, checksums, licence, citation, and "
        "how to use it. Nothing is downloaded."
    )

    @overrides
    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "name", metavar="NAME", nargs="?", help="name of an ELMo in the list, such as original"
        )
        parser.add_argument(
            "--search",
            metavar="TEXT",
            default="",
            help="list only those with TEXT in their name, language or description",
        )

    @overrides
    def run(self, arguments: argparse.Namespace) -> None:
        if arguments.name is None:
            print(list_models(arguments.search))
        else:
            print(describe_model(arguments.name))
