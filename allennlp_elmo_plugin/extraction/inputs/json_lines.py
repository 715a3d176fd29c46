"""
The format `jsonl`: one object in JSON a line.
"""

import json
import re
from typing import Any, Dict, Iterable, Iterator, List, Optional

from allennlp.common.checks import ConfigurationError
from spacy.language import Language

from allennlp_elmo_plugin.extraction.inputs.record import Record
from allennlp_elmo_plugin.io.json_file import parse_json
from allennlp_elmo_plugin.io.tokenization import split_tokens

__all__ = ["parse_json_lines"]

JSON_TYPES = {
    dict: "an object",
    list: "a list",
    str: "a string",
    int: "an integer",
    float: "a number with a fraction",
    bool: "a truth value",
    type(None): "null",
}

SURROGATE = re.compile("[\ud800-\udfff]")
"""Half of a character beyond U+FFFF. JSON can name a lone one, but no text contains it."""


def parse_json_lines(
    lines: Iterable[str], name: str, rules: Optional[Language] = None
) -> Iterator[Record]:
    """
    Parses objects with the tokens or the text of a sentence.

    An object has the key `tokens`, a list of strings, or `sentence`, a string. With both, `tokens`
    are the tokens and `sentence` is the text. The key `id`, a string or an integer, is optional.
    Other keys are ignored.

    # Parameters

    lines : `Iterable[str]`
        The lines of the file. Blank ones are skipped.
    name : `str`
        Name of the file in errors.
    rules : `Language`, optional (default = `None`)
        Rules that split `sentence` into tokens. `None` splits it at white space.

    # Returns

    `Iterator[Record]`
        A sentence for each object.

    # Raises

    `ConfigurationError`
        If a line is no such object. The message names the line and what it has instead.
    """
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield _parse(line, number, rules)
        except ValueError as error:
            raise ConfigurationError(
                f"'{name}', line {number}: expected an object in JSON with 'tokens' (a list of "
                f"strings) or 'sentence' (a string), and at most an 'id' (a string or an integer), "
                f"but {error}. Write one such object on each line."
            ) from error


def _parse(line: str, number: int, rules: Optional[Language]) -> Record:
    fields = _parse_object(line)
    tokens = _tokens(fields)
    sentence = fields.get("sentence", "")
    if not isinstance(sentence, str):
        raise ValueError(f"'sentence' is {_type_of(sentence)}")
    if tokens is None:
        tokens = sentence.split() if rules is None else split_tokens(sentence, rules)
    text = sentence if "sentence" in fields else " ".join(tokens)
    record = Record(tokens, text, number, _id(fields))
    # A line is text in UTF-8, so only an escape sequence can name a surrogate.
    if "\\u" in line and any(map(SURROGATE.search, [*tokens, text, record.id or ""])):
        raise ValueError(
            "it has half of a surrogate pair, such as '\\ud800', which is no character"
        )
    return record


def _parse_object(line: str) -> Dict[str, Any]:
    try:
        fields = parse_json(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON ({error.msg} at column {error.colno})") from error
    if not isinstance(fields, dict):
        raise ValueError(f"it is {_type_of(fields)}")
    if "tokens" not in fields and "sentence" not in fields:
        raise ValueError("it has neither")
    return fields


def _tokens(fields: Dict[str, Any]) -> Optional[List[str]]:
    if "tokens" not in fields:
        return None
    tokens = fields["tokens"]
    if not isinstance(tokens, list):
        raise ValueError(f"'tokens' is {_type_of(tokens)}")
    for number, token in enumerate(tokens):
        if not isinstance(token, str):
            raise ValueError(f"token {number} (from 0) is {_type_of(token)}")
    return tokens


def _id(fields: Dict[str, Any]) -> Optional[str]:
    if "id" not in fields:
        return None
    found = fields["id"]
    # In Python, a truth value is an integer.
    if not isinstance(found, (str, int)) or isinstance(found, bool):
        raise ValueError(f"'id' is {_type_of(found)}")
    return str(found)


def _type_of(value: Any) -> str:
    """Returns the name of the type of a value in JSON."""
    return JSON_TYPES[type(value)]
