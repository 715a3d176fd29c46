"""
`allennlp elmo-tokenize`: turns plain text into a corpus for the dataset reader `bilm_corpus`.
"""

import argparse

from allennlp.commands.subcommand import Subcommand
from overrides import overrides

from allennlp_elmo_plugin.commands.command import ElmoCommand
from allennlp_elmo_plugin.io.counted import counted
from allennlp_elmo_plugin.io.text_files import find_files
from allennlp_elmo_plugin.io.tokenization import tokenize_files

__all__ = ["ElmoTokenize"]


@Subcommand.register("elmo-tokenize")
class ElmoTokenize(ElmoCommand):
    """
    Splits text files into sentences and tokens, one sentence a line.

    Registered as a `Subcommand` with name "elmo-tokenize".
    """

    description = (
        "Split plain text into sentences and tokens by spaCy's rules and write one sentence a "
        "line, as training a biLM requires."
    )

    @overrides
    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "texts",
            nargs="+",
            help="text files in UTF-8 (gzipped if the name ends in .gz), or quoted patterns such "
            "as 'texts/*.txt'; a line break always ends a sentence",
        )
        parser.add_argument(
            "folder", help="folder for one tokenized copy of each text; made if it is missing"
        )
        parser.add_argument(
            "--language",
            default="en",
            help="spaCy's code of the language, such as de; xx suits many languages",
        )

    @overrides
    def run(self, arguments: argparse.Namespace) -> None:
        copies = tokenize_files(find_files(arguments.texts), arguments.folder, arguments.language)
        print(f"Wrote {counted(len(copies), 'file')} to {arguments.folder}")
