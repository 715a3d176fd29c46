"""
The sentences of a file of minimal pairs.
"""

import os
from pathlib import Path
from typing import Iterable, Iterator, List, Optional, Union

from allennlp.common.checks import ConfigurationError
from overrides import overrides

from allennlp_elmo_plugin.extraction.inputs.record import Record
from allennlp_elmo_plugin.extraction.inputs.sentence_file import SentenceFile
from allennlp_elmo_plugin.extraction.sentence import Sentence
from allennlp_elmo_plugin.io.tokenization import split_tokens
from allennlp_elmo_plugin.scoring.pairs.pair_lines import (
    PairLine,
    parse_json_pairs,
    parse_tab_separated_pairs,
)

__all__ = ["PAIR_FORMATS", "PairFile"]

JSON_LINES, LINES = "jsonl", "lines"
PAIR_FORMATS = (LINES, JSON_LINES)
"""Names of the formats."""


class PairFile(SentenceFile):
    """
    An iterable over the sentences of a file of pairs: of each, the acceptable one, then the other.

    The key of a sentence is the name of the group of its pair.

    # Parameters

    location : `Union[str, PathLike]`
        Path or URL of a text file in UTF-8, compressed if its name ends in `.gz`, `.bz2` or `.xz`.
    input_format : `str`, optional (default = `None`)
        `"lines"` for sentences that are separated by a tab, with the group as an optional third
        field, or `"jsonl"` for objects with the fields of BLiMP. `None` chooses it by the ending.
    language : `str`, optional (default = `None`)
        spaCy's code of the language whose rules split the sentences into tokens. `None` splits them
        at white space.
    group_by : `str`, optional (default = `None`)
        The field of the group in `jsonl`; see `parse_json_pairs`.
    source_name : `str`, optional (default = `None`)
        Name of the file in errors. `None` is `location`.
    working_folder : `Path`, optional (default = `None`)
        Folder for a temporary file with the tokens, as for `SentenceFile`.

    # Raises

    `ConfigurationError`
        If the file has another format, or if one of tab-separated lines comes with `group_by`.
    """

    def __init__(
        self,
        location: Union[str, "os.PathLike[str]"],
        input_format: Optional[str] = None,
        language: Optional[str] = None,
        group_by: Optional[str] = None,
        source_name: Optional[str] = None,
        working_folder: Optional[Path] = None,
    ) -> None:
        super().__init__(
            location,
            input_format,
            language,
            source_name=source_name,
            working_folder=working_folder,
        )
        if self.input_format not in PAIR_FORMATS:
            raise ConfigurationError(
                f"Expected pairs in one of the formats {', '.join(PAIR_FORMATS)}, got "
                f"'{self.input_format}' for '{self.name}'."
            )
        if group_by is not None and self.input_format != JSON_LINES:
            raise ConfigurationError(
                f"Got the field '{group_by}' to group pairs by, but '{self.name}' has no named "
                "fields. Leave it out, and write the group behind the sentences, after a tab."
            )
        self._group_by = group_by

    @property
    @overrides
    def has_ids(self) -> bool:
        """`False`, since many sentences have the key of their group."""
        return False

    @overrides
    def __iter__(self) -> Iterator[Sentence]:
        return (sentence for sentence, _ in self._sentences())

    @overrides
    def _parse(self, lines: Iterable[str]) -> Iterator[Record]:
        for pair in self._pairs(lines):
            for text in (pair.good, pair.bad):
                yield Record(self._tokens(text), text.strip(), pair.line, pair.group)

    def _pairs(self, lines: Iterable[str]) -> Iterator[PairLine]:
        if self.input_format == JSON_LINES:
            return parse_json_pairs(lines, self.name, self._group_by)
        return parse_tab_separated_pairs(lines, self.name)

    def _tokens(self, text: str) -> List[str]:
        return text.split() if self._rules is None else split_tokens(text, self._rules)
