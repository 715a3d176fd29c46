"""
The vocabulary file of a biLM, as bilm-tf has it.
"""

import os
from collections import Counter
from pathlib import Path
from typing import Optional, Union

from allennlp.common.checks import ConfigurationError
from allennlp.common.file_utils import cached_path
from allennlp.data import Vocabulary

from allennlp_elmo_plugin.io.atomic import write_atomically
from allennlp_elmo_plugin.network.spelling import BEGIN_OF_SENTENCE_TOKEN, END_OF_SENTENCE_TOKEN

__all__ = ["BilmVocabulary", "write_vocabulary_file"]

UNKNOWN_WORD = "<UNK>"
PADDING_WORD = "<PAD>"
REQUIRED_WORDS = (BEGIN_OF_SENTENCE_TOKEN, END_OF_SENTENCE_TOKEN, UNKNOWN_WORD)

# A line of old vocabulary files that bilm-tf passes over.
NO_WORD = "!!!MAXTERMID"


class BilmVocabulary(Vocabulary):
    """
    The words of a biLM's softmax, in its order: row i of the softmax belongs to line i of the
    vocabulary file. There is no entry for padding, and `<UNK>` stands for unknown words.

    Registered as a `Vocabulary` with name "bilm_vocabulary", whose constructor is
    `from_vocabulary_file`.
    """

    @classmethod
    def from_vocabulary_file(cls, file: str, namespace: str = "tokens") -> "BilmVocabulary":
        """
        # Parameters

        file : `str`
            A path or URL of a text file in UTF-8, a word a line, in the order of falling frequency,
            `<S>`, `</S>` and `<UNK>` among them.
        namespace : `str`, optional (default = `"tokens"`)
            The namespace of the words, as the reader and the model have it.

        # Raises

        `ConfigurationError`
            When the file is missing, or a word is missing or there twice.
        """
        try:
            lines = Path(cached_path(file)).read_text(encoding="utf-8").splitlines()
        except FileNotFoundError as error:
            raise ConfigurationError(
                f"The vocabulary 'bilm_vocabulary' names the file '{file}', but there is none."
            ) from error
        words = [line.strip() for line in lines if line.strip() != NO_WORD]
        problems = [f"'{word}' is missing" for word in REQUIRED_WORDS if word not in words]
        problems += [
            f"'{word}' is there {count} times"
            for word, count in Counter(words).items()
            if count > 1
        ]
        if problems:
            raise ConfigurationError(
                f"Expected a word a line in the vocabulary file '{file}', each once, "
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
        Reads what was saved with an archive.

        # Parameters

        directory : `Union[str, PathLike]`
            The folder.
        padding_token, oov_token : `str`, optional (default = `None`)
            Not used: AllenNLP gives its own, which these words do not have.
        """
        return super().from_files(directory, oov_token=UNKNOWN_WORD)  # type: ignore[return-value]


def write_vocabulary_file(
    path: Union[str, "os.PathLike[str]"], vocabulary: Vocabulary, namespace: str
) -> None:
    """
    Writes the words of a vocabulary for `BilmVocabulary` and bilm-tf, which have their own names
    for AllenNLP's unknown word (`<UNK>`) and padding (`<PAD>`, a word like any other there).

    # Parameters

    path : `Union[str, PathLike]`
        Where the file is to be. It is replaced in one step when it is complete.
    vocabulary : `Vocabulary`
        Any vocabulary.
    namespace : `str`
        The namespace of the words.
    """
    words = vocabulary.get_index_to_token_vocabulary(namespace)
    names = {vocabulary._oov_token: UNKNOWN_WORD, vocabulary._padding_token: PADDING_WORD}
    lines = [names.get(words[index], words[index]) for index in range(len(words))]
    with write_atomically(Path(path)) as partial:
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8")


Vocabulary.register("bilm_vocabulary", constructor="from_vocabulary_file")(BilmVocabulary)
