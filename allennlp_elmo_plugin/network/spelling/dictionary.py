"""
The dictionary of a biLM: the words and the characters that have vectors.
"""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Dict, Mapping, Tuple

from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.io.lazy import lazy_property

__all__ = [
    "BEGIN_OF_SENTENCE_ENTRY",
    "END_OF_SENTENCE_ENTRY",
    "FIRST_EDGE_ENTRY",
    "LAST_EDGE_ENTRY",
    "PADDING_ENTRY",
    "UNKNOWN_ENTRY",
    "Dictionary",
]

UNKNOWN_ENTRY = "<oov>"
PADDING_ENTRY = "<pad>"
BEGIN_OF_SENTENCE_ENTRY = "<bos>"
END_OF_SENTENCE_ENTRY = "<eos>"

# ELMoForManyLangs swaps the names of the two edges, and its models were trained so.
FIRST_EDGE_ENTRY = "<eow>"
LAST_EDGE_ENTRY = "<bow>"

REQUIRED = {
    "words": (UNKNOWN_ENTRY,),
    "characters": (
        UNKNOWN_ENTRY,
        PADDING_ENTRY,
        BEGIN_OF_SENTENCE_ENTRY,
        END_OF_SENTENCE_ENTRY,
        FIRST_EDGE_ENTRY,
        LAST_EDGE_ENTRY,
    ),
}

DIGEST_BYTES = 8


@dataclass(frozen=True)
class Dictionary:
    r"""
    The words and the characters that have vectors in a biLM.

    Each is a text with one entry a line, which ends with `\n` alone. The number of the line is the
    id of the entry, from 1. An empty line is a row of the table that no entry has. If an entry is
    there twice, the last one counts.

    # Parameters

    words : `str`
        The words, with `<oov>` for all others.
    characters : `str`
        The characters, with `<oov>` for all others, `<pad>`, `<bos>`, `<eos>`, `<bow>` and `<eow>`.

    # Raises

    `ConfigurationError`
        When one is no text or lacks such an entry.
    """

    words: str
    characters: str

    def __post_init__(self) -> None:
        for name, required in REQUIRED.items():
            text = getattr(self, name)
            if not isinstance(text, str):
                raise ConfigurationError(
                    f"Expected the {name} of a dictionary as a text, got {type(text).__name__}."
                )
            # The ids are made when a word is spelled, which loading a biLM need not wait for.
            missing = [entry for entry in required if f"\n{entry}\n" not in f"\n{text}\n"]
            if missing:
                raise ConfigurationError(
                    f"Expected a dictionary with the {name} {', '.join(required)}, but it lacks "
                    f"{', '.join(missing)}. Is it the dictionary of another program?"
                )

    @classmethod
    def from_ids(cls, words: Mapping[str, int], characters: Mapping[str, int]) -> "Dictionary":
        """
        Builds a dictionary from the ids of its entries.

        # Parameters

        words, characters : `Mapping[str, int]`
            The entries and their ids, which differ from each other and begin with 0.

        # Returns

        `Dictionary`
        """
        return cls(_lines(words), _lines(characters))

    @lazy_property
    def word_ids(self) -> Dict[str, int]:
        """The id of each word, from 1."""
        return _ids(self.words)

    @lazy_property
    def character_ids(self) -> Dict[str, int]:
        """The id of each character, from 1."""
        return _ids(self.characters)

    @lazy_property
    def num_words(self) -> int:
        """The number of rows of the table of words."""
        return self.words.count("\n") + 1

    @lazy_property
    def num_characters(self) -> int:
        """The number of rows of the table of characters."""
        return self.characters.count("\n") + 1

    def __repr__(self) -> str:
        # It is part of digests, and short in messages.
        digest = blake2b(digest_size=DIGEST_BYTES)
        for text in (self.words, "\n\n", self.characters):
            digest.update(text.encode("utf-8", "surrogatepass"))
        return (
            f"Dictionary({self.num_words} words, {self.num_characters} characters, "
            f"{digest.hexdigest()})"
        )

    def __reduce__(self) -> Tuple[Any, ...]:
        # Copies and pickles make the ids anew.
        return type(self), (self.words, self.characters)


def _ids(text: str) -> Dict[str, int]:
    entries = text.split("\n")
    ids = dict(zip(entries, range(1, len(entries) + 1)))
    ids.pop("", None)
    return ids


def _lines(ids: Mapping[str, int]) -> str:
    lines = [""] * (max(ids.values(), default=-1) + 1)
    for entry, number in ids.items():
        lines[number] = entry
    return "\n".join(lines)
