"""
Parsing the sentences of CoNLL-U, the format of Universal Dependencies.
"""

import re
from typing import Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from allennlp.common.checks import ConfigurationError
from conllu.exceptions import ParseException
from conllu.models import Token, TokenList
from conllu.parser import parse_token_and_metadata

__all__ = ["DECLARED_COLUMNS", "ConlluSentence", "parse_conllu"]

DECLARED_COLUMNS = re.compile(r"^#\s*global\.columns\s*=\s*(\S.*)", re.MULTILINE)
"""The line with the names of the columns, in CoNLL-U Plus."""


class ConlluSentence(NamedTuple):
    """
    A sentence of CoNLL-U.

    # Parameters

    words : `List[Token]`
        The words, which are the lines whose ID is a plain number. Ranges of multiword tokens
        (`1-2`) and empty nodes (`1.1`) are left out. There may be none.
    metadata : `Dict[str, str]`
        The values of the comments, such as `sent_id`.
    location : `str`
        File and number of the sentence, from 1, for errors.
    line : `int`
        Number of its first line, from 1.
    """

    words: List[Token]
    metadata: Dict[str, str]
    location: str
    line: int


def parse_conllu(
    lines: Iterable[str], name: str, columns: Optional[Sequence[str]] = None
) -> Iterator[ConlluSentence]:
    """
    Parses CoNLL-U sentence by sentence.

    # Parameters

    lines : `Iterable[str]`
        The lines of the file.
    name : `str`
        Name of the file in errors.
    columns : `Sequence[str]`, optional (default = `None`)
        Names of the columns to read, the first of a line. `None` is all ten. A file that names its
        columns, as in CoNLL-U Plus, is read by its own names.

    # Returns

    `Iterator[ConlluSentence]`
        The sentences, also those without words.

    # Raises

    `ConfigurationError`
        If a sentence is not CoNLL-U. The message names the file, the sentence and its lines.
    """
    for number, (line, block) in enumerate(_blocks(lines), start=1):
        location = f"'{name}', sentence {number}"
        place = f"It stands in the lines {line} to {line + len(block) - 1}."
        text = "\n".join(block)
        declared = DECLARED_COLUMNS.search(text)
        if declared is not None:
            columns = declared.group(1).lower().split()
        sentence = _parse_block(text, columns, location, place)
        # The ids of multiword ranges and empty nodes are tuples.
        words = [token for token in sentence if isinstance(token["id"], int)]
        ids = [word["id"] for word in words]
        if ids != list(range(1, len(ids) + 1)):
            raise ConfigurationError(
                f"{location}: expected words numbered from 1 up, got {ids}. End each sentence with "
                f"a blank line. {place}"
            )
        if not all(word.get("form") for word in words):
            raise ConfigurationError(
                f"{location}: expected a FORM for each word, got a word without one. A word of "
                f"unknown form has '_' there. {place}"
            )
        yield ConlluSentence(words, sentence.metadata, location, line)


def _blocks(lines: Iterable[str]) -> Iterator[Tuple[int, List[str]]]:
    """Yields the lines between blank lines with the number of the first of them."""
    block: List[str] = []
    start = 1
    for number, line in enumerate(lines, start=1):
        if line.strip():
            block.append(line)
            continue
        if block:
            yield start, block
            block = []
        start = number + 1
    if block:
        yield start, block


def _parse_block(
    text: str, columns: Optional[Sequence[str]], location: str, place: str
) -> TokenList:
    if columns is not None and not {"id", "form"}.issubset(columns):
        raise ConfigurationError(
            f"{location}: expected ID and FORM among the columns, got {' '.join(columns).upper()}. "
            f"Correct the line '# global.columns = ...'. {place}"
        )
    try:
        return parse_token_and_metadata(text, fields=columns)
    except (ParseException, ValueError) as error:
        # Python refuses to read a number of thousands of digits.
        raise ConfigurationError(
            f"{location}: expected CoNLL-U (ten columns separated by tabs, in UTF-8), got a line "
            f"that cannot be parsed ({error}). {place}"
        ) from error
