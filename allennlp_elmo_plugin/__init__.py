"""
ELMo for AllenNLP: a drop-in for the built-in token embedder that installs today, with its parts
registered one by one. Naming this package in `.allennlp_plugins` is enough.
"""

from allennlp_elmo_plugin.activation_cache_summary import ActivationCacheSummary
from allennlp_elmo_plugin.commands import ElmoExport, ElmoTokenize
from allennlp_elmo_plugin.conllu_tagging import ConlluTaggingReader
from allennlp_elmo_plugin.default_callbacks import add_default_callbacks
from allennlp_elmo_plugin.elmo_tagger import ElmoTaggerPredictor
from allennlp_elmo_plugin.elmo_token_embedder import ElmoTokenEmbedder
from allennlp_elmo_plugin.modules import ElmoBilm
from allennlp_elmo_plugin.options import ElmoOptions
from allennlp_elmo_plugin.parts import (
    ActivationCache,
    BilmEncoder,
    CarryState,
    ElmoCharactersIndexer,
    ElmoEncoder,
    EncodedSentences,
    FixedScalarMix,
    Hdf5ActivationCache,
    InitialState,
    LearnedScalarMix,
    LruWordCache,
    NoActivationCache,
    NoWordCache,
    ScalarMix,
    VocabularyWordCache,
    WarmState,
    WordCache,
    ZeroState,
)
from allennlp_elmo_plugin.pretraining import (
    BidirectionalLm,
    BilmCorpusReader,
    BilmProgress,
    BilmResumption,
    BilmVocabulary,
)
from allennlp_elmo_plugin.repairs import apply_repairs

__all__ = [
    "ActivationCache",
    "ActivationCacheSummary",
    "BidirectionalLm",
    "BilmCorpusReader",
    "BilmEncoder",
    "BilmProgress",
    "BilmResumption",
    "BilmVocabulary",
    "CarryState",
    "ConlluTaggingReader",
    "ElmoBilm",
    "ElmoCharactersIndexer",
    "ElmoEncoder",
    "ElmoExport",
    "ElmoOptions",
    "ElmoTaggerPredictor",
    "ElmoTokenEmbedder",
    "ElmoTokenize",
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

apply_repairs()
add_default_callbacks()
