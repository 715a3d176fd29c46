"""
The spelling of words for a biLM: rows of ids, from bytes or from a dictionary.
"""

from allennlp_elmo_plugin.network.spelling.base import (
    IdColumns,
    SpelledWord,
    Spelling,
    cached_spellings,
)
from allennlp_elmo_plugin.network.spelling.byte_spelling import (
    BEGIN_OF_SENTENCE_TOKEN,
    END_OF_SENTENCE_TOKEN,
    MAX_CHARACTERS_PER_TOKEN,
    MIN_CHARACTERS_PER_TOKEN,
    NUM_CHARACTERS,
    PADDING,
    ByteSpelling,
    spell_sentences,
    spell_word,
)
from allennlp_elmo_plugin.network.spelling.dictionary import Dictionary
from allennlp_elmo_plugin.network.spelling.dictionary_spelling import DictionarySpelling

__all__ = [
    "BEGIN_OF_SENTENCE_TOKEN",
    "END_OF_SENTENCE_TOKEN",
    "MAX_CHARACTERS_PER_TOKEN",
    "MIN_CHARACTERS_PER_TOKEN",
    "NUM_CHARACTERS",
    "PADDING",
    "ByteSpelling",
    "Dictionary",
    "DictionarySpelling",
    "IdColumns",
    "SpelledWord",
    "Spelling",
    "cached_spellings",
    "spell_sentences",
    "spell_word",
]
