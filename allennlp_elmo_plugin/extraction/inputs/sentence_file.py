"""
The sentences of an input file, which can be read more than once.
"""

import os
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Callable, Iterable, Iterator, List, Optional, Tuple, Union

from allennlp.common.checks import ConfigurationError
from spacy.language import Language

from allennlp_elmo_plugin.extraction.inputs.formats import choose_format, parse_records
from allennlp_elmo_plugin.extraction.inputs.keys import KeyIndex, find_clashes, require_key
from allennlp_elmo_plugin.extraction.inputs.record import Record
from allennlp_elmo_plugin.extraction.inputs.record_file import RecordFile
from allennlp_elmo_plugin.extraction.inputs.survey import Survey, SurveyCounts
from allennlp_elmo_plugin.extraction.sentence import Sentence
from allennlp_elmo_plugin.io.find_file import find_file
from allennlp_elmo_plugin.io.lazy import lazy_property
from allennlp_elmo_plugin.io.regular_file import require_regular_file
from allennlp_elmo_plugin.io.text_lines import decode_lines, open_text
from allennlp_elmo_plugin.io.tokenization import load_sentence_rules

__all__ = ["BLANK_LINES", "KEYS", "SentenceFile"]

KEYS = ("ids", "numbers", "sentences")
BLANK_LINES = ("error", "empty")

DESCRIPTION = "a file of sentences"
MAX_LISTED = 20
MAX_CLASHES = 5
MAX_SUSPECTS = 1000


class SentenceFile:
    """
    An iterable over the sentences of a file. Each iteration reads the file anew.

    One sentence at a time is in memory. With a language, spaCy keeps the distinct words as well.

    # Parameters

    location : `Union[str, PathLike]`
        Path or URL of a text file in UTF-8, compressed if its name ends in `.gz`, `.bz2` or `.xz`.
    input_format : `str`, optional (default = `None`)
        `"lines"`, `"jsonl"`, `"conllu"` or `"fasta"`. `None` chooses it by the ending.
    language : `str`, optional (default = `None`)
        spaCy's code of the language of a raw text, such as `"de"`. spaCy's rules then split the
        text of `lines` into sentences and tokens, and the `sentence` of `jsonl` into tokens. `None`
        is for tokenized text, which white space splits.
    keys : `str`, optional (default = `"ids"`)
        Names of the sentences: `"ids"`, those in the file, or numbers if the first sentence has no
        id; `"numbers"`, numbers from 0; `"sentences"`, their texts.
    blank_lines : `str`, optional (default = `"error"`)
        Treatment of sentences without tokens: `"error"`, or `"empty"` for sentences like others.
        Formats other than `lines` skip blank lines, and so does raw text.
    source_name : `str`, optional (default = `None`)
        Name of the file in errors, such as `"standard input"`. `None` is `location`.
    working_folder : `Path`, optional (default = `None`)
        Folder for a temporary file with the tokens of a raw text, which the survey writes, so that
        later iterations need not find them again. `None` is for no such file.
    first_number : `int`, optional (default = `0`)
        Number of the first sentence, if the file is a part of another one.
    key_prefix : `str`, optional (default = `""`)
        Text in front of the numbers that are keys.

    # Raises

    `ConfigurationError`
        If one of the parameters has no such value, or if the format does not go with a language.
    """

    def __init__(
        self,
        location: Union[str, "os.PathLike[str]"],
        input_format: Optional[str] = None,
        language: Optional[str] = None,
        keys: str = "ids",
        blank_lines: str = "error",
        source_name: Optional[str] = None,
        working_folder: Optional[Path] = None,
        first_number: int = 0,
        key_prefix: str = "",
    ) -> None:
        _require_choice("keys", keys, KEYS)
        _require_choice("blank_lines", blank_lines, BLANK_LINES)
        self.location = os.fspath(location)
        self.input_format = choose_format(location, input_format, language)
        self.language = language
        self.keys = keys
        self.blank_lines = blank_lines
        self.name = self.location if source_name is None else source_name
        self.first_number = first_number
        self.key_prefix = key_prefix
        self._working_folder = working_folder
        self._surveyed_state: Optional[Tuple[int, int]] = None
        self._tokenized: Optional[RecordFile] = None

    @property
    def has_ids(self) -> bool:
        """
        `True` if the keys are ids from the file. Reads the first sentence.
        """
        if self.keys != "ids" or self.input_format == "lines":
            return False
        first = next(self._records(), None)
        return first is not None and first.id is not None

    def __iter__(self) -> Iterator[Sentence]:
        """
        Reads the sentences.

        # Returns

        `Iterator[Sentence]`
            The sentences in the order of the file.

        # Raises

        `ConfigurationError`
            If the file cannot be read, if a line does not have the format, if a sentence has no
            tokens or a key that HDF5 cannot hold, or if the file changed after its survey.
        """
        for number, (sentence, line) in enumerate(self._sentences(), start=self.first_number):
            if not sentence.tokens and self.blank_lines == "error":
                raise self._blank_sentences([number], 1)
            require_key(sentence.key, f"'{self.name}', line {line}")
            yield sentence

    def survey(self, visit: Optional[Callable[[Sentence], None]] = None) -> Survey:
        """
        Reads the whole file, counts what is in it and checks it.

        Every later iteration checks that the file is still the same.

        # Parameters

        visit : `Callable[[Sentence], None]`, optional (default = `None`)
            Function that is called with each sentence, to count other things.

        # Returns

        `Survey`
            Sizes and a digest.

        # Raises

        `ConfigurationError`
            If the file cannot be read, if a line does not have the format, if sentences have no
            tokens, or if keys cannot name datasets of one HDF5 file. The message lists the faults.
        `OSError`
            If the temporary file cannot be written, for example because the disk is full.
        """
        require_regular_file(self._path, DESCRIPTION)
        self._surveyed_state = _state(os.stat(self._path))
        self._tokenized = None
        if self.language is not None and self._working_folder is not None:
            self._tokenized = RecordFile(self._records(), self._working_folder)
        counts = SurveyCounts()
        index = KeyIndex()
        blanks: List[int] = []
        num_blanks = 0
        # Numbers are distinct.
        has_own_keys = self.keys == "sentences" or self.has_ids
        for number, (sentence, line) in enumerate(self._sentences(), start=self.first_number):
            if not sentence.tokens and self.blank_lines == "error":
                num_blanks += 1
                if num_blanks <= MAX_LISTED:
                    blanks.append(number)
                continue
            if has_own_keys:
                require_key(sentence.key, f"'{self.name}', line {line}")
                index.add(sentence.key)
            counts.add(sentence)
            if visit is not None:
                visit(sentence)
        if num_blanks:
            raise self._blank_sentences(blanks, num_blanks)
        self._require_distinct_keys(index.suspects())
        return counts.result()

    def _require_distinct_keys(self, suspects: List[int]) -> None:
        # A part of the suspects bounds the memory. Nearly always, the first part has clashes.
        for start in range(0, len(suspects), MAX_SUSPECTS):
            keys = ((sentence.key, line) for sentence, line in self._sentences())
            clashes = find_clashes(keys, suspects[start : start + MAX_SUSPECTS])
            found = list(islice(clashes, MAX_CLASHES))
            if found:
                raise ConfigurationError(
                    f"Expected keys in '{self.name}' that can name datasets of one HDF5 file, but "
                    f"some are equal, or one is the path of a group for another: "
                    f"{'; '.join(found)}. Change them, or take the numbers of the sentences for "
                    "keys."
                )

    def _blank_sentences(self, numbers: List[int], num_blanks: int) -> ConfigurationError:
        more = f" and {num_blanks - len(numbers)} more" if num_blanks > len(numbers) else ""
        return ConfigurationError(
            f"Expected one or more tokens in each sentence of '{self.name}', but these have none "
            f"(counted from 0): {', '.join(map(str, numbers))}{more}. Remove these blank lines or "
            "empty sentences, or keep them with 'blank_lines' set to 'empty' (on the command line, "
            "--blank-lines empty)."
        )

    def _sentences(self) -> Iterator[Tuple[Sentence, int]]:
        """Yields each sentence with its key, unchecked, and its line."""
        has_ids = False
        for number, record in enumerate(self._records(), start=self.first_number):
            has_ids = record.id is not None if number == self.first_number else has_ids
            key = record.text if self.keys == "sentences" else f"{self.key_prefix}{number}"
            if self.keys == "ids":
                if has_ids != (record.id is not None):
                    expected, found = ("an id", "none") if has_ids else ("no id", "one")
                    raise ConfigurationError(
                        f"'{self.name}', line {record.line}: expected {expected}, as for the "
                        f"first sentence, got {found}. Give an id to every sentence or to none, or "
                        "take the numbers of the sentences for keys."
                    )
                key = key if record.id is None else record.id
            yield Sentence(record.tokens, key, record.text), record.line

    def _records(self) -> Iterator[Record]:
        with open_text(self._path, DESCRIPTION) as file:
            self._require_same_state(file)
            if self._tokenized is None:
                lines = decode_lines(file, self.location, self.name)
                yield from self._parse(lines)
            else:
                yield from self._tokenized
            self._require_same_state(file)

    def _parse(self, lines: Iterable[str]) -> Iterator[Record]:
        return parse_records(lines, self.name, self.input_format, self._rules)

    def _require_same_state(self, file: BinaryIO) -> None:
        found = _state(os.fstat(file.fileno()))
        if self._surveyed_state not in (None, found):
            raise ConfigurationError(
                f"Expected '{self.name}' to stay as it was when it was counted, but its size or "
                "time of change differs. Start again, and change the file afterwards."
            )

    @lazy_property
    def _path(self) -> str:
        # A URL is looked up once, so that it stands for one file.
        return find_file(self.location, DESCRIPTION)

    @lazy_property
    def _rules(self) -> Optional[Language]:
        return None if self.language is None else load_sentence_rules(self.language)


def _state(status: os.stat_result) -> Tuple[int, int]:
    """Returns the size of a file and the time of its last change."""
    return status.st_size, status.st_mtime_ns


def _require_choice(parameter: str, value: str, choices: Tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigurationError(
            f"Expected '{parameter}' to be one of {', '.join(choices)}, got '{value}'."
        )
