"""
ELMo for AllenNLP: a drop-in for the built-in token embedder that installs today, with its parts
registered one by one. Naming this package in `.allennlp_plugins` is enough.
"""

from allennlp_elmo_plugin.conllu_tagging import ConlluTaggingReader
from allennlp_elmo_plugin.elmo_tagger import ElmoTaggerPredictor
from allennlp_elmo_plugin.elmo_token_embedder import ElmoTokenEmbedder
from allennlp_elmo_plugin.modules import ElmoBilm
from allennlp_elmo_plugin.options import ElmoOptions
from allennlp_elmo_plugin.parts import (
    BilmEncoder,
    CarryState,
    ElmoCharactersIndexer,
    ElmoEncoder,
    EncodedSentences,
    FixedScalarMix,
    InitialState,
    LearnedScalarMix,
    NoWordCache,
    ScalarMix,
    VocabularyWordCache,
    WordCache,
    ZeroState,
)
from allennlp_elmo_plugin.repairs import apply_repairs

__all__ = [
    "BilmEncoder",
    "CarryState",
    "ConlluTaggingReader",
    "ElmoBilm",
    "ElmoCharactersIndexer",
    "ElmoEncoder",
    "ElmoOptions",
    "ElmoTaggerPredictor",
    "ElmoTokenEmbedder",
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

apply_repairs()
