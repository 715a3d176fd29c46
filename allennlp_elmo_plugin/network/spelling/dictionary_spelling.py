"""
The spelling by a dictionary, which biLMs of ELMoForManyLangs read.

A word is spelled as its own id and the ids of its Unicode characters between two edge markers,
padded to a fixed width (Che et al., 2018). Words and characters that the dictionary lacks have the
id of `<oov>`. Every id is raised by one, so 0 is free to mean "no token here".
"""

from dataclasses import dataclass
from typing import List, Tuple

from overrides import overrides

from allennlp_elmo_plugin.network.spelling.base import IdColumns, Spelling, require_text
from allennlp_elmo_plugin.network.spelling.dictionary import (
    BEGIN_OF_SENTENCE_ENTRY,
    END_OF_SENTENCE_ENTRY,
    FIRST_EDGE_ENTRY,
    LAST_EDGE_ENTRY,
    PADDING_ENTRY,
    UNKNOWN_ENTRY,
    Dictionary,
)

__all__ = ["DictionarySpelling"]

SENTENCE_BOUNDARIES = (BEGIN_OF_SENTENCE_ENTRY, END_OF_SENTENCE_ENTRY)


@dataclass(frozen=True)
class DictionarySpelling(Spelling):
    """
    The spelling by a dictionary. The first id is that of the word, the others are of characters.

    # Parameters

    dictionary : `Dictionary`
        The dictionary of the biLM.
    max_characters : `int`
        The number of character ids of a word, at least 3: the `max_characters_per_token` of the
        biLM's options.
    """

    dictionary: Dictionary
    max_characters: int

    @property
    @overrides
    def columns(self) -> Tuple[IdColumns, ...]:
        return (
            IdColumns("word ids", 1, self.dictionary.num_words),
            IdColumns("character ids", self.max_characters, self.dictionary.num_characters),
        )

    @property
    @overrides
    def padding(self) -> int:
        return self.dictionary.character_ids[PADDING_ENTRY]

    @property
    @overrides
    def indexer_advice(self) -> str:
        return (
            "This biLM spells words with its dictionary: give the 'elmo_characters' indexer the "
            "same 'options_file' and 'weight_file' as the biLM."
        )

    @property
    @overrides
    def boundaries(self) -> Tuple[List[int], List[int]]:
        begin, end = (self.spell(word) for word in SENTENCE_BOUNDARIES)
        return begin, end

    @overrides
    def spell(self, word: str) -> List[int]:
        require_text(word)
        words, characters = self.dictionary.word_ids, self.dictionary.character_ids
        # The word that is looked up is cut as well.
        word = word[: self.max_characters - 2]
        unknown = characters[UNKNOWN_ENTRY]
        symbols = [word] if word in SENTENCE_BOUNDARIES else list(word)
        ids = [
            words.get(word, words[UNKNOWN_ENTRY]),
            characters[FIRST_EDGE_ENTRY],
            *(characters.get(symbol, unknown) for symbol in symbols),
            characters[LAST_EDGE_ENTRY],
        ]
        return ids + [characters[PADDING_ENTRY]] * (self.width - len(ids))
