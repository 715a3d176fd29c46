"""
Parsing minimal pairs.
"""

from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Optional

from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.io.json_file import parse_json

__all__ = ["UNGROUPED", "PairLine", "parse_json_pairs", "parse_tab_separated_pairs"]

GOOD, BAD = "sentence_good", "sentence_bad"
GROUP_FIELDS = ("UID", "phenomenon")
UNGROUPED = "all"
"""Group of pairs that name none."""


class PairLine(NamedTuple):
    """
    A pair as it stands in a file.

    # Parameters

    line : `int`
        Number of the line, from 1.
    good, bad : `str`
        The acceptable sentence, and the other one.
    group : `str`
        Name of the group of pairs that it belongs to.
    """

    line: int
    good: str
    bad: str
    group: str


def parse_tab_separated_pairs(lines: Iterable[str], name: str) -> Iterator[PairLine]:
    """
    Parses lines with the acceptable sentence, the other one, and perhaps a group.

    # Parameters

    lines : `Iterable[str]`
        The lines of the file.
    name : `str`
        Name of the file in errors.

    # Returns

    `Iterator[PairLine]`
        The pairs.

    # Raises

    `ConfigurationError`
        If a line has fewer or more fields. The message names the line.
    """
    for number, line in enumerate(lines, start=1):
        fields = line.split("\t")
        if len(fields) not in (2, 3):
            raise ConfigurationError(
                f"'{name}', line {number}: expected two sentences and at most the name of a group, "
                f"separated by tabs, got {len(fields)} of such fields. Write one pair on each line."
            )
        group = fields[2].strip() if len(fields) == 3 else UNGROUPED
        yield _checked(PairLine(number, fields[0], fields[1], group), name)


def parse_json_pairs(
    lines: Iterable[str], name: str, group_by: Optional[str] = None
) -> Iterator[PairLine]:
    """
    Parses objects in JSON with the fields of BLiMP: `sentence_good`, `sentence_bad`, and a group.

    # Parameters

    lines : `Iterable[str]`
        The lines of the file. Blank ones are skipped.
    name : `str`
        Name of the file in errors.
    group_by : `str`, optional (default = `None`)
        The field of the group, a string or a number. `None` is the field `UID`, or `phenomenon` if
        there is no such field, or no group without both.

    # Returns

    `Iterator[PairLine]`
        The pairs.

    # Raises

    `ConfigurationError`
        If a line is no such object. The message names the line.
    """
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            fields = _object(line)
            good, bad = (_text(fields, field) for field in (GOOD, BAD))
            group = _group(fields, group_by)
        except ValueError as error:
            expected = [f"'{GOOD}'", f"'{BAD}'", *([] if group_by is None else [f"'{group_by}'"])]
            raise ConfigurationError(
                f"'{name}', line {number}: expected an object in JSON with texts named "
                f"{' and '.join(expected)}, but {error}. Write one pair on each line."
            ) from error
        yield _checked(PairLine(number, good, bad, group), name)


def _object(line: str) -> Dict[str, Any]:
    fields = parse_json(line)
    if not isinstance(fields, dict):
        raise ValueError(f"it is {line.strip()[:40]!r}")
    return fields


def _text(fields: Dict[str, Any], field: str) -> str:
    if field not in fields:
        raise ValueError(f"it has no '{field}'")
    if not isinstance(fields[field], str):
        raise ValueError(f"'{field}' is {str(fields[field])[:40]!r}")
    return str(fields[field])


def _group(fields: Dict[str, Any], group_by: Optional[str]) -> str:
    names: List[str] = [name for name in GROUP_FIELDS if name in fields]
    name = names[0] if group_by is None and names else group_by
    if name is None:
        return UNGROUPED
    if isinstance(fields.get(name), int):
        return str(fields[name])
    return _text(fields, name).strip()


def _checked(pair: PairLine, name: str) -> PairLine:
    for field, text in (("first", pair.good), ("second", pair.bad), ("name of a", pair.group)):
        if not text.strip():
            missing = "group" if text is pair.group else "sentence"
            raise ConfigurationError(
                f"'{name}', line {pair.line}: expected two sentences, but the {field} {missing} is "
                "empty. Complete the pair, or remove the line."
            )
    return pair
