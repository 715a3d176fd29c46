"""
Reading the dictionaries of ELMoForManyLangs: `char.dic` and `word.dic`.
"""

from pathlib import Path
from typing import Dict, Tuple

from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.io.text_lines import read_lines

__all__ = ["read_dictionary_file"]

MAX_ID = 1 << 24

WHITESPACE_ENTRY = "\u3000"
"""The entry of a line that has an id alone: stripping the line has removed the entry."""


def read_dictionary_file(path: Path) -> Dict[str, int]:
    r"""
    Reads the entries of a dictionary and their ids.

    Each line is an entry, a tab and an id. As in ELMoForManyLangs, a line without an entry stands
    for whitespace and is the entry `"\u3000"`, and the last id of an entry counts.

    # Parameters

    path : `Path`
        Path of the file, which is text in UTF-8.

    # Returns

    `Dict[str, int]`
        The id of each entry.

    # Raises

    `ConfigurationError`
        If the file is missing or not in UTF-8, if a line has another form, or if two entries have
        one id.
    """
    ids: Dict[str, int] = {}
    lines = read_lines(path, f"the dictionary '{path.name}' of an ELMoForManyLangs biLM")
    for number, line in enumerate(lines, 1):
        try:
            entry, its_id = _parse(line)
        except ValueError as error:
            raise ConfigurationError(
                f"Expected an entry, a tab and a number below {MAX_ID:,} in each line of '{path}', "
                f"but line {number} is {line[:100]!r}. Restore the file."
            ) from error
        ids[entry] = its_id
    entries: Dict[int, str] = {}
    for entry, its_id in ids.items():
        other = entries.setdefault(its_id, entry)
        if other != entry:
            raise ConfigurationError(
                f"Expected each id once in '{path}', but both {other[:100]!r} and "
                f"{entry[:100]!r} have the id {its_id}. Restore the file."
            )
    return ids


def _parse(line: str) -> Tuple[str, int]:
    *entries, number = line.strip().split("\t")
    if len(entries) > 1:
        raise ValueError("too many tabs")
    its_id = int(number)
    if not 0 <= its_id < MAX_ID:
        raise ValueError("no such id")
    return (entries[0] if entries else WHITESPACE_ENTRY), its_id
