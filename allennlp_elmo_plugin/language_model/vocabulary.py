"""
The vocabulary file of a biLM, in the format of bilm-tf.
"""

import os
import re
from collections import Counter
from pathlib import Path
from typing import Iterable, List, Optional, Union

from allennlp.common.checks import ConfigurationError
from allennlp.data import Vocabulary

from allennlp_elmo_plugin.io.atomic import write_atomically
from allennlp_elmo_plugin.io.text_lines import BYTE_ORDER_MARK, read_lines
from allennlp_elmo_plugin.network.spelling import BEGIN_OF_SENTENCE_TOKEN, END_OF_SENTENCE_TOKEN

__all__ = [
    "PADDING_WORD",
    "UNKNOWN_WORD",
    "BilmVocabulary",
    "softmax_words",
    "vocabulary_words",
    "write_vocabulary_file",
]

BLANKS = " \t\r"
"""Characters around a word that don't belong to it. bilm-tf strips them, too."""

UNKNOWN_WORD = "<UNK>"
PADDING_WORD = "<PAD>"
REQUIRED_WORDS = (BEGIN_OF_SENTENCE_TOKEN, END_OF_SENTENCE_TOKEN, UNKNOWN_WORD)

IGNORED_LINE = "!!!MAXTERMID"
"""A line of old vocabulary files that is no word. bilm-tf ignores it, too."""


UNREADABLE = re.compile(f"[\n\r\ud800-\udfff]|^[{BLANKS}]|[{BLANKS}]$|^{IGNORED_LINE}$")


class BilmVocabulary(Vocabulary):
    """
    The vocabulary of a biLM's softmax, in which the word of line i belongs to row i of the softmax.

    It has no padding entry, and `<UNK>` stands for unknown words.

    Registered as a `Vocabulary` with name "bilm_vocabulary", whose constructor is
    `from_vocabulary_file`.
    """

    @classmethod
    def from_vocabulary_file(cls, file: str, namespace: str = "tokens") -> "BilmVocabulary":
        """
        Reads a vocabulary file.

        # Parameters

        file : `str`
            Path or URL of a text file in UTF-8 with one word a line, in descending order of
            frequency. `<S>`, `</S>` and `<UNK>` must be among the words.
        namespace : `str`, optional (default = `"tokens"`)
            Namespace of the words. Reader and model must use the same one.

        # Raises

        `ConfigurationError`
            If the file is missing, is not text in UTF-8, lacks a required word, or contains a word
            twice.
        """
        description = "the 'file' of the vocabulary 'bilm_vocabulary'"
        words = vocabulary_words(read_lines(file, description))
        problems = [f"'{word}' is missing" for word in REQUIRED_WORDS if word not in words]
        problems += [
            f"'{word}' occurs {count} times" for word, count in Counter(words).items() if count > 1
        ]
        if problems:
            raise ConfigurationError(
                f"Expected the vocabulary file '{file}' to have one word a line, each once, with "
                f"{', '.join(REQUIRED_WORDS)} among them: {'; '.join(problems)}."
            )
        return cls(
            tokens_to_add={namespace: words},
            non_padded_namespaces=[namespace],
            oov_token=UNKNOWN_WORD,
        )

    @classmethod
    def from_files(
        cls,
        directory: Union[str, "os.PathLike[str]"],
        padding_token: Optional[str] = None,
        oov_token: Optional[str] = None,
    ) -> "BilmVocabulary":
        """
        Reads the vocabulary that AllenNLP saved with an archive.

        # Parameters

        directory : `Union[str, PathLike]`
            Path of the vocabulary folder.
        padding_token, oov_token : `str`, optional (default = `None`)
            Ignored. AllenNLP passes its own defaults, which are not in this vocabulary.
        """
        return super().from_files(directory, oov_token=UNKNOWN_WORD)  # type: ignore[return-value]


def vocabulary_words(lines: Iterable[str]) -> List[str]:
    """
    Returns the words of a vocabulary file, whatever they are.

    # Parameters

    lines : `Iterable[str]`
        The lines of the file, a word in each.

    # Returns

    `List[str]`
        The words in the order of their ids. The line `!!!MAXTERMID` is none.
    """
    words = (line.strip(BLANKS) for line in lines)
    return [word for word in words if word != IGNORED_LINE]


def softmax_words(vocabulary: Vocabulary, namespace: str) -> List[str]:
    """
    Returns the words of a vocabulary in the order of the softmax, under the names of bilm-tf.

    # Parameters

    vocabulary : `Vocabulary`
        Any vocabulary.
    namespace : `str`
        Namespace of the words.

    # Returns

    `List[str]`
        AllenNLP's unknown word is `<UNK>`. Its padding token is `<PAD>`, which has no special
        meaning there.
    """
    words = vocabulary.get_index_to_token_vocabulary(namespace)
    renamed = {vocabulary._oov_token: UNKNOWN_WORD, vocabulary._padding_token: PADDING_WORD}
    return [renamed.get(words[index], words[index]) for index in range(len(words))]


def write_vocabulary_file(
    path: Union[str, "os.PathLike[str]"], vocabulary: Vocabulary, namespace: str
) -> None:
    """
    Writes the words of a vocabulary in the format that `BilmVocabulary` and bilm-tf read.

    # Parameters

    path : `Union[str, PathLike]`
        Path of the file. The file appears in one step, when it is complete.
    vocabulary : `Vocabulary`
        Any vocabulary.
    namespace : `str`
        Namespace of the words.

    # Raises

    `ConfigurationError`
        If a word would be read as another one, for example since it contains a line break. Nothing
        is written then.
    `OSError`
        If the file cannot be written, for example because the disk is full.
    """
    lines = softmax_words(vocabulary, namespace)
    unreadable = [line for line in lines if UNREADABLE.search(line)]
    unreadable += [line for line in lines[:1] if line.startswith(BYTE_ORDER_MARK)]
    if unreadable:
        raise ConfigurationError(
            "Expected words that a vocabulary file with one word a line can hold, got "
            f"{', '.join(map(ascii, unreadable[:5]))} (in all {len(unreadable)} of {len(lines)} "
            "words). Line breaks, surrogates, spaces at the ends and the line "
            f"'{IGNORED_LINE}' cannot be read back. Take them out of the vocabulary, or write the "
            "biLM alone by its `to_folder`."
        )
    with write_atomically(Path(path)) as partial:
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8")


Vocabulary.register("bilm_vocabulary", constructor="from_vocabulary_file")(BilmVocabulary)
