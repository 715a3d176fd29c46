"""
The format `fasta`: sequences of proteins.
"""

from typing import Iterable, Iterator, List, Optional, Tuple

from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.extraction.inputs.record import Record
from allennlp_elmo_plugin.io.text_lines import split_at_carriage_returns

__all__ = ["parse_fasta"]


def parse_fasta(lines: Iterable[str], name: str) -> Iterator[Record]:
    """
    Reads sequences, each residue of which becomes a token.

    As in SeqVec, the lines of a sequence are joined, white space is removed, and letters become
    upper-case. Every other character stays, also a `*` for a stop codon, so there is one vector for
    each character of the sequence. The id is the first word of the header, such as
    `sp|P12345|NAME`. SeqVec's command takes the second field of the header instead.

    # Parameters

    lines : `Iterable[str]`
        The lines of the file.
    name : `str`
        Name of the file in errors.

    # Returns

    `Iterator[Record]`
        The sequences. One may have no residues.

    # Raises

    `ConfigurationError`
        If there is text before the first header, or a header without an id.
    """
    header: Optional[Tuple[str, int]] = None
    parts: List[str] = []
    for number, line in enumerate(split_at_carriage_returns(lines), start=1):
        text = line.strip()
        if text.startswith(">"):
            if header is not None:
                yield _record(header, parts)
            header, parts = (_id(text, name, number), number), []
        elif header is not None:
            parts.append(text)
        elif text:
            raise ConfigurationError(
                f"'{name}', line {number}: expected a header such as '>P12345' before the first "
                f"sequence, got '{text[:40]}'. Add one, or name another input format."
            )
    if header is not None:
        yield _record(header, parts)


def _id(header: str, name: str, line: int) -> str:
    words = header[1:].split(None, 1)
    if not words:
        raise ConfigurationError(
            f"'{name}', line {line}: expected an id in the header, such as '>P12345', got none. "
            "Give each sequence its own id."
        )
    return words[0]


def _record(header: Tuple[str, int], parts: List[str]) -> Record:
    sequence = "".join("".join(parts).split()).upper()
    return Record(list(sequence), sequence, header[1], header[0])
