"""
The parts of the embedder that a config can name, each registered under its own base class and
each usable alone.
"""

from allennlp_elmo_plugin.parts.activation_cache import ActivationCache, NoActivationCache
from allennlp_elmo_plugin.parts.bilm_encoder import BilmEncoder
from allennlp_elmo_plugin.parts.elmo_characters import ElmoCharactersIndexer
from allennlp_elmo_plugin.parts.elmo_encoder import ElmoEncoder, EncodedSentences
from allennlp_elmo_plugin.parts.hdf5_activation_cache import Hdf5ActivationCache
from allennlp_elmo_plugin.parts.initial_state import CarryState, InitialState, ZeroState
from allennlp_elmo_plugin.parts.lru_word_cache import LruWordCache
from allennlp_elmo_plugin.parts.scalar_mix import FixedScalarMix, LearnedScalarMix, ScalarMix
from allennlp_elmo_plugin.parts.vocabulary_word_cache import VocabularyWordCache
from allennlp_elmo_plugin.parts.warm_state import WarmState
from allennlp_elmo_plugin.parts.word_cache import NoWordCache, WordCache

__all__ = [
    "ActivationCache",
    "BilmEncoder",
    "CarryState",
    "ElmoCharactersIndexer",
    "ElmoEncoder",
    "EncodedSentences",
    "FixedScalarMix",
    "Hdf5ActivationCache",
    "InitialState",
    "LearnedScalarMix",
    "LruWordCache",
    "NoActivationCache",
    "NoWordCache",
    "ScalarMix",
    "VocabularyWordCache",
    "WarmState",
    "WordCache",
    "ZeroState",
]
