"""
The format `conllu`: sentences of Universal Dependencies.
"""

from typing import Iterable, Iterator

from allennlp_elmo_plugin.extraction.inputs.record import Record
from allennlp_elmo_plugin.io.conllu_sentences import parse_conllu

__all__ = ["parse_conllu_words"]

COLUMNS = ("id", "form")


def parse_conllu_words(lines: Iterable[str], name: str) -> Iterator[Record]:
    """
    Reads the words of sentences in CoNLL-U, which are the column FORM.

    Ranges of multiword tokens (`1-2`) and empty nodes (`1.1`) are not words. A block without words,
    such as comments alone, is no sentence. The comment `# sent_id = ...` is the id, and
    `# text = ...` the text.

    # Parameters

    lines : `Iterable[str]`
        The lines of the file.
    name : `str`
        Name of the file in errors.

    # Returns

    `Iterator[Record]`
        The sentences, each with one or more tokens.

    # Raises

    `ConfigurationError`
        If a sentence is not CoNLL-U.
    """
    for sentence in parse_conllu(lines, name, COLUMNS):
        tokens = [word["form"] for word in sentence.words]
        if tokens:
            text = sentence.metadata.get("text") or " ".join(tokens)
            yield Record(tokens, text, sentence.line, sentence.metadata.get("sent_id"))
