"""
Splitting text into sentences and tokens by spaCy's rules.

The rules need neither a trained model nor a download.
"""

import os
from pathlib import Path
from typing import Iterable, Iterator, List, NamedTuple, Sequence, Union

import spacy
from allennlp.common import Tqdm
from allennlp.common.checks import ConfigurationError
from spacy.language import Language

from allennlp_elmo_plugin.io.atomic import write_atomically
from allennlp_elmo_plugin.io.text_lines import read_lines

__all__ = [
    "TokenizedText",
    "load_rules",
    "load_sentence_rules",
    "split_sentences",
    "split_tokens",
    "tokenize_files",
]

MAX_LINE_LENGTH = 1 << 30
"""In characters. spaCy's own limit, a million, saves memory for trained parsers."""


class TokenizedText(NamedTuple):
    """
    A sentence of a raw text.

    # Parameters

    tokens : `List[str]`
        The tokens, of which there is at least one.
    text : `str`
        The sentence as it stands in the text, without white space around it.
    line : `int`
        Number of its line, from 1.
    """

    tokens: List[str]
    text: str
    line: int


def load_rules(language: str) -> Language:
    """
    Loads spaCy's rule-based tokenizer for a language.

    # Parameters

    language : `str`
        spaCy's code of the language, such as `"de"`. `"xx"` suits many languages.

    # Returns

    `Language`
        A pipeline that consists of the tokenizer alone.

    # Raises

    `ConfigurationError`
        If spaCy does not know the language or lacks a package that it needs.
    """
    try:
        return spacy.blank(language)
    except ImportError as error:
        raise ConfigurationError(
            "Expected 'language' to be the code of a language that spaCy can tokenize, such as "
            f"'en', got '{language}' ({error}). Use another code ('xx' suits many languages), or "
            "install the package that spaCy asks for."
        ) from error


def load_sentence_rules(language: str) -> Language:
    """
    Loads spaCy's rules that split lines of any length into sentences and tokens.

    # Parameters

    language : `str`
        spaCy's code of the language.

    # Returns

    `Language`
        A pipeline that consists of the tokenizer and the rules for the ends of sentences.

    # Raises

    `ConfigurationError`
        If spaCy cannot tokenize the language.
    """
    rules = load_rules(language)
    rules.add_pipe("sentencizer")
    rules.max_length = MAX_LINE_LENGTH
    return rules


def split_sentences(lines: Iterable[str], rules: Language) -> Iterator[TokenizedText]:
    """
    Splits the lines of a raw text into sentences. The end of a line always ends a sentence.

    # Parameters

    lines : `Iterable[str]`
        The lines of the text.
    rules : `Language`
        Rules from `load_sentence_rules`.

    # Returns

    `Iterator[TokenizedText]`
        The sentences. White space alone is none.
    """
    numbered = ((line, number) for number, line in enumerate(lines, start=1))
    for line, number in rules.pipe(numbered, as_tuples=True):
        for sentence in line.sents:
            tokens = [token.text for token in sentence if not token.is_space]
            if tokens:
                yield TokenizedText(tokens, sentence.text.strip(), number)


def split_tokens(sentence: str, rules: Language) -> List[str]:
    """
    Splits one sentence into tokens.

    # Parameters

    sentence : `str`
        The sentence.
    rules : `Language`
        Rules from `load_rules` or `load_sentence_rules`.

    # Returns

    `List[str]`
        The tokens. White space is none.
    """
    return [token.text for token in rules.make_doc(sentence) if not token.is_space]


def tokenize_files(
    files: Sequence[str], folder: Union[str, "os.PathLike[str]"], language: str = "en"
) -> List[Path]:
    """
    Writes a tokenized copy of each text file: one sentence a line, tokens separated by spaces.

    A line break in the text always ends a sentence.

    # Parameters

    files : `Sequence[str]`
        Paths of text files in UTF-8, gzipped if their names end in `.gz`.
    folder : `Union[str, PathLike]`
        Folder for the copies. It is made if it is missing. Files of the same names are replaced.
    language : `str`, optional (default = `"en"`)
        spaCy's code of the language.

    # Returns

    `List[Path]`
        Paths of the copies, in the order of `files`. A copy has the name of its file, without
        `.gz`.

    # Raises

    `ConfigurationError`
        If spaCy cannot tokenize the language, if two copies would have the same name, if a copy
        would replace its own text, or if a file is not text in UTF-8.
    """
    folder = Path(folder)
    copies = [folder / Path(file).name.replace(".gz", "") for file in files]
    if len(set(copies)) < len(copies) or any(
        copy.exists() and copy.samefile(file) for copy, file in zip(copies, files)
    ):
        raise ConfigurationError(
            f"Expected text files with different names, in other folders than '{folder}', got "
            f"{', '.join(files)}. Choose another folder, or rename the files."
        )
    folder.mkdir(parents=True, exist_ok=True)
    rules = load_sentence_rules(language)
    for file, copy in zip(Tqdm.tqdm(files), copies):
        with write_atomically(copy) as partial, open(partial, "w", encoding="utf-8") as tokenized:
            for sentence in split_sentences(read_lines(file), rules):
                tokenized.write(" ".join(sentence.tokens) + "\n")
    return copies
