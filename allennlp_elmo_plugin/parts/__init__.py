"""
The parts of the embedder that a config can name, each registered under its own base class and
each usable alone.
"""

from allennlp_elmo_plugin.parts.elmo_characters import ElmoCharactersIndexer
from allennlp_elmo_plugin.parts.elmo_encoder import BilmEncoder, ElmoEncoder, EncodedSentences
from allennlp_elmo_plugin.parts.initial_state import CarryState, InitialState, ZeroState
from allennlp_elmo_plugin.parts.scalar_mix import FixedScalarMix, LearnedScalarMix, ScalarMix
from allennlp_elmo_plugin.parts.word_cache import NoWordCache, VocabularyWordCache, WordCache

__all__ = [
    "BilmEncoder",
    "CarryState",
    "ElmoCharactersIndexer",
    "ElmoEncoder",
    "EncodedSentences",
    "FixedScalarMix",
    "InitialState",
    "LearnedScalarMix",
    "NoWordCache",
    "ScalarMix",
    "VocabularyWordCache",
    "WordCache",
    "ZeroState",
]
