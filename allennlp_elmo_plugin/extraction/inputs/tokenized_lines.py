"""
The format `lines`: one tokenized sentence a line, as AllenNLP 0.9 reads it.
"""

from typing import Iterable, Iterator

from allennlp_elmo_plugin.extraction.inputs.record import Record
from allennlp_elmo_plugin.io.text_lines import split_at_carriage_returns

__all__ = ["parse_tokenized_lines"]


def parse_tokenized_lines(lines: Iterable[str], name: str) -> Iterator[Record]:
    r"""
    Splits each line into tokens at white space.

    As in AllenNLP 0.9, a lone `\r` ends a line, too.

    # Parameters

    lines : `Iterable[str]`
        The lines of the file.
    name : `str`
        Name of the file in errors. This format has none.

    # Returns

    `Iterator[Record]`
        A sentence for each line. A blank line has no tokens.
    """
    for number, line in enumerate(split_at_carriage_returns(lines), start=1):
        text = line.strip()
        yield Record(text.split(), text, number)
