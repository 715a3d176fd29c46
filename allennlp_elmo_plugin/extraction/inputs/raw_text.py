"""
The format `lines` with a language: raw text, split into sentences and tokens by rules.
"""

from typing import Iterable, Iterator

from spacy.language import Language

from allennlp_elmo_plugin.extraction.inputs.record import Record
from allennlp_elmo_plugin.io.tokenization import split_sentences

__all__ = ["parse_raw_text"]


def parse_raw_text(lines: Iterable[str], name: str, rules: Language) -> Iterator[Record]:
    """
    Splits raw text into sentences and tokens. The end of a line always ends a sentence.

    # Parameters

    lines : `Iterable[str]`
        The lines of the text. Blank ones are skipped.
    name : `str`
        Name of the file in errors. This format has none.
    rules : `Language`
        Rules from `load_sentence_rules`.

    # Returns

    `Iterator[Record]`
        The sentences, each with one or more tokens.
    """
    for sentence in split_sentences(lines, rules):
        yield Record(sentence.tokens, sentence.text, sentence.line)
