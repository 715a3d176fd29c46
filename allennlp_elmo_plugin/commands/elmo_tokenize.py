"""
`allennlp elmo-tokenize`: plain text as the dataset reader `bilm_corpus` wants it.
"""

import argparse
import os
from pathlib import Path
from typing import Iterator, List, Sequence, Union

from allennlp.commands.subcommand import Subcommand
from allennlp.common import Tqdm
from allennlp.common.checks import ConfigurationError
from allennlp.common.file_utils import open_compressed
from overrides import overrides
from spacy.language import Language

from allennlp_elmo_plugin.io.atomic import write_atomically
from allennlp_elmo_plugin.io.text_files import find_files
from allennlp_elmo_plugin.io.tokenization import load_rules

__all__ = ["ElmoTokenize", "tokenize_files"]

LONGEST_LINE = 1 << 30


@Subcommand.register("elmo-tokenize")
class ElmoTokenize(Subcommand):
    """
    Splits text into sentences and tokens, one sentence a line.

    Registered as a `Subcommand` with name "elmo-tokenize".
    """

    @overrides
    def add_subparser(self, parser: "argparse._SubParsersAction") -> argparse.ArgumentParser:
        """
        # Parameters

        parser : `argparse._SubParsersAction`
            What the command is added to.

        # Returns

        `argparse.ArgumentParser`
        """
        description = (
            "Split plain text into sentences and tokens by spaCy's rules, one sentence a line, to "
            "train a biLM on."
        )
        subparser = parser.add_parser(self.name, description=description, help=description)
        subparser.add_argument(
            "texts",
            nargs="+",
            help="files in UTF-8 (gzipped, if the name ends in .gz), or quoted patterns; no "
            "sentence goes beyond its line",
        )
        subparser.add_argument("folder", help="where to write a file for each; made if missing")
        subparser.add_argument(
            "--language", default="en", help="spaCy's code, such as de; xx fits many languages"
        )
        subparser.set_defaults(func=_run)
        return subparser


def _run(arguments: argparse.Namespace) -> None:
    written = tokenize_files(find_files(arguments.texts), arguments.folder, arguments.language)
    print(f"Wrote {len(written)} files to {arguments.folder}")


def tokenize_files(
    files: Sequence[str], folder: Union[str, "os.PathLike[str]"], language: str = "en"
) -> List[Path]:
    """
    # Parameters

    files : `Sequence[str]`
        Files of text in UTF-8, gzipped if their name ends in `.gz`.
    folder : `Union[str, PathLike]`
        It is made where it is missing; files of the same names in it are replaced.
    language : `str`, optional (default = `"en"`)
        spaCy's code of the language.

    # Returns

    `List[Path]`
        The files that were written, under the names of those that were read, without `.gz`.

    # Raises

    `ConfigurationError`
        If spaCy has no such language, or two files have one name.
    """
    folder = Path(folder)
    targets = [folder / Path(file).name.replace(".gz", "") for file in files]
    if len(set(targets)) < len(targets) or any(
        target.exists() and target.samefile(file) for target, file in zip(targets, files)
    ):
        raise ConfigurationError(
            f"Expected texts of different names, and '{folder}' not to be their own folder, got "
            f"{', '.join(files)}."
        )
    folder.mkdir(parents=True, exist_ok=True)
    rules = load_rules(language)
    rules.add_pipe("sentencizer")
    # The limit is one of memory, for trained parsers.
    rules.max_length = LONGEST_LINE
    for file, target in zip(Tqdm.tqdm(files), targets):
        with write_atomically(target) as partial, open(partial, "w", encoding="utf-8") as tokenized:
            for sentence in _sentences(file, rules):
                tokenized.write(" ".join(sentence) + "\n")
    return targets


def _sentences(file: str, rules: Language) -> Iterator[List[str]]:
    with open_compressed(file, encoding="utf-8-sig") as text:
        for line in rules.pipe(text):
            for sentence in line.sents:
                tokens = [token.text for token in sentence if not token.is_space]
                if tokens:
                    yield tokens
