"""
The formats of input files by name, and how a file's format is chosen.
"""

import os
from typing import Callable, Dict, Iterable, Iterator, Optional, Union

from allennlp.common.checks import ConfigurationError
from spacy.language import Language

from allennlp_elmo_plugin.extraction.inputs.conllu import parse_conllu_words
from allennlp_elmo_plugin.extraction.inputs.fasta import parse_fasta
from allennlp_elmo_plugin.extraction.inputs.json_lines import parse_json_lines
from allennlp_elmo_plugin.extraction.inputs.raw_text import parse_raw_text
from allennlp_elmo_plugin.extraction.inputs.record import Record
from allennlp_elmo_plugin.extraction.inputs.tokenized_lines import parse_tokenized_lines
from allennlp_elmo_plugin.io.text_lines import without_compression_suffix

__all__ = ["INPUT_FORMATS", "choose_format", "parse_records"]

PARSERS: Dict[str, Callable[[Iterable[str], str], Iterator[Record]]] = {
    "lines": parse_tokenized_lines,
    "jsonl": parse_json_lines,
    "conllu": parse_conllu_words,
    "fasta": parse_fasta,
}

RAW_TEXT_PARSERS: Dict[str, Callable[[Iterable[str], str, Language], Iterator[Record]]] = {
    "lines": parse_raw_text,
    "jsonl": parse_json_lines,
}

INPUT_FORMATS = tuple(PARSERS)
"""Names of the formats."""

ENDINGS = {
    ".jsonl": "jsonl",
    ".json": "jsonl",
    ".conllu": "conllu",
    ".fasta": "fasta",
    ".fa": "fasta",
    ".faa": "fasta",
}


def choose_format(
    location: Union[str, "os.PathLike[str]"],
    input_format: Optional[str] = None,
    language: Optional[str] = None,
) -> str:
    """
    Returns the format of an input file.

    # Parameters

    location : `Union[str, PathLike]`
        Path or URL of the file. `.jsonl` and `.json` stand for `jsonl`, `.conllu` for `conllu`,
        `.fasta`, `.fa` and `.faa` for `fasta`, and every other ending for `lines`. `.gz`, `.bz2` or
        `.xz` may follow.
    input_format : `str`, optional (default = `None`)
        Name of the format. `None` chooses it by the ending.
    language : `str`, optional (default = `None`)
        Language of a raw text.

    # Returns

    `str`
        One of `INPUT_FORMATS`.

    # Raises

    `ConfigurationError`
        If there is no such format, or if a language is given for a format with tokens of its own.
    """
    if input_format is None:
        _, ending = os.path.splitext(without_compression_suffix(os.fspath(location)))
        input_format = ENDINGS.get(ending.lower(), "lines")
    if input_format not in PARSERS:
        raise ConfigurationError(
            f"Expected the input format to be one of {', '.join(INPUT_FORMATS)}, got "
            f"'{input_format}'."
        )
    if language is not None and input_format not in RAW_TEXT_PARSERS:
        raise ConfigurationError(
            f"Expected raw text to tokenize in '{location}', but its format '{input_format}' has "
            f"tokens of its own. Leave out the language '{language}', or name another format, one "
            f"of {', '.join(RAW_TEXT_PARSERS)}."
        )
    return input_format


def parse_records(
    lines: Iterable[str], name: str, input_format: str, rules: Optional[Language] = None
) -> Iterator[Record]:
    """
    Parses the lines of a file.

    # Parameters

    lines : `Iterable[str]`
        The lines.
    name : `str`
        Name of the file in errors.
    input_format : `str`
        Format that `choose_format` returned.
    rules : `Language`, optional (default = `None`)
        Rules that tokenize raw text. `None` if the text is tokenized.

    # Returns

    `Iterator[Record]`
        The sentences.

    # Raises

    `ConfigurationError`
        If a line does not have the format.
    """
    if rules is None:
        return PARSERS[input_format](lines, name)
    return RAW_TEXT_PARSERS[input_format](lines, name, rules)
