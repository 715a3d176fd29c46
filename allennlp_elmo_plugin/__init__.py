"""
ELMo for AllenNLP: a drop-in for the built-in token embedder, with registered components.

Importing the package registers everything, so naming it in `.allennlp_plugins` is enough.
"""

from importlib.util import find_spec

if find_spec("allennlp") is None:
    raise ImportError(
        "Expected AllenNLP 2.10.1 beside allennlp_elmo_plugin, found no package 'allennlp'. "
        "Install it with: pip install --no-deps allennlp==2.10.1"
    )

from allennlp_elmo_plugin.commands import (
    ElmoChange,
    ElmoConvert,
    ElmoExport,
    ElmoLook,
    ElmoModels,
    ElmoScore,
    ElmoSubstitutes,
    ElmoTokenize,
    ElmoVectors,
)
from allennlp_elmo_plugin.compat.batch_to_ids import batch_to_ids
from allennlp_elmo_plugin.compat.elmo_embedder import ElmoEmbedder, provide_module
from allennlp_elmo_plugin.embedder.activation_cache.base import ActivationCache
from allennlp_elmo_plugin.embedder.activation_cache.hdf5 import Hdf5ActivationCache
from allennlp_elmo_plugin.embedder.activation_cache.none import NoActivationCache
from allennlp_elmo_plugin.embedder.activation_cache.summary import ActivationCacheSummary
from allennlp_elmo_plugin.embedder.bilm_encoder import BilmEncoder
from allennlp_elmo_plugin.embedder.elmo import Elmo
from allennlp_elmo_plugin.embedder.encoder import ElmoEncoder, EncodedSentences
from allennlp_elmo_plugin.embedder.indexer import ElmoCharactersIndexer
from allennlp_elmo_plugin.embedder.initial_state.base import InitialState
from allennlp_elmo_plugin.embedder.initial_state.carry import CarryState
from allennlp_elmo_plugin.embedder.initial_state.warm import WarmState
from allennlp_elmo_plugin.embedder.initial_state.warm_up_sentences import WARM_UP_WORDS
from allennlp_elmo_plugin.embedder.initial_state.zero import ZeroState
from allennlp_elmo_plugin.embedder.scalar_mix import FixedScalarMix, LearnedScalarMix, ScalarMix
from allennlp_elmo_plugin.embedder.token_embedder import ElmoTokenEmbedder
from allennlp_elmo_plugin.embedder.training_scalars import ElmoScalars
from allennlp_elmo_plugin.embedder.word_cache.base import WordCache
from allennlp_elmo_plugin.embedder.word_cache.lru import LruWordCache
from allennlp_elmo_plugin.embedder.word_cache.none import NoWordCache
from allennlp_elmo_plugin.embedder.word_cache.vocabulary import VocabularyWordCache
from allennlp_elmo_plugin.extraction.extractor import ElmoExtractor
from allennlp_elmo_plugin.language_model.bidirectional_lm import BidirectionalLm
from allennlp_elmo_plugin.language_model.corpus_reader import BilmCorpusReader
from allennlp_elmo_plugin.language_model.progress import BilmProgress
from allennlp_elmo_plugin.language_model.resumption import BilmResumption
from allennlp_elmo_plugin.language_model.vocabulary import BilmVocabulary
from allennlp_elmo_plugin.network.elmo_bilm import ElmoBilm
from allennlp_elmo_plugin.network.options import ElmoOptions
from allennlp_elmo_plugin.network.sentence_batch import SentenceBatch
from allennlp_elmo_plugin.network.spelling import spell_sentences
from allennlp_elmo_plugin.patches import apply_patches, redirect_from_params, rename_builtin
from allennlp_elmo_plugin.patches.default_callbacks import add_default_callbacks
from allennlp_elmo_plugin.patches.hotflip import patch_hotflip
from allennlp_elmo_plugin.scoring.language_model import LanguageModel, load_language_model
from allennlp_elmo_plugin.scoring.scorer import ElmoScorer
from allennlp_elmo_plugin.scoring.substitutes import SubstituteFinder
from allennlp_elmo_plugin.senses.word_change import measure_change
from allennlp_elmo_plugin.tagging.conllu_reader import ConlluTaggingReader
from allennlp_elmo_plugin.tagging.tagger_predictor import ElmoTaggerPredictor

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
    "Elmo",
    "ElmoBilm",
    "ElmoChange",
    "ElmoCharactersIndexer",
    "ElmoConvert",
    "ElmoEmbedder",
    "ElmoEncoder",
    "ElmoExport",
    "ElmoExtractor",
    "ElmoLook",
    "ElmoModels",
    "ElmoOptions",
    "ElmoScalars",
    "ElmoScore",
    "ElmoScorer",
    "ElmoSubstitutes",
    "ElmoTaggerPredictor",
    "ElmoTokenEmbedder",
    "ElmoTokenize",
    "ElmoVectors",
    "EncodedSentences",
    "FixedScalarMix",
    "Hdf5ActivationCache",
    "InitialState",
    "LanguageModel",
    "LearnedScalarMix",
    "LruWordCache",
    "NoActivationCache",
    "NoWordCache",
    "ScalarMix",
    "SentenceBatch",
    "SubstituteFinder",
    "VocabularyWordCache",
    "WarmState",
    "WordCache",
    "ZeroState",
    "batch_to_ids",
    "load_language_model",
    "measure_change",
    "spell_sentences",
]

__version__ = "0.1.0"

apply_patches()
rename_builtin(Elmo)
redirect_from_params(Elmo)
rename_builtin(ElmoTokenEmbedder)
rename_builtin(ElmoCharactersIndexer)
patch_hotflip(WARM_UP_WORDS)
provide_module()
add_default_callbacks(ActivationCacheSummary, BilmProgress, BilmResumption, ElmoScalars)
