"""Every registered name has its class."""

from typing import Dict, Type

import pytest
from allennlp.commands import Subcommand
from allennlp.common import Registrable
from allennlp.data import DatasetReader, TokenIndexer, Vocabulary
from allennlp.models import Model
from allennlp.modules import TokenEmbedder
from allennlp.predictors import Predictor
from allennlp.training import TrainerCallback

import allennlp_elmo_plugin
from allennlp_elmo_plugin import ActivationCache, ElmoEncoder, InitialState, ScalarMix, WordCache

NAMES: Dict[Type[Registrable], Dict[str, str]] = {
    TokenEmbedder: {"elmo_token_embedder": "ElmoTokenEmbedder"},
    TokenIndexer: {"elmo_characters": "ElmoCharactersIndexer"},
    ElmoEncoder: {"bilm": "BilmEncoder"},
    InitialState: {"carry": "CarryState", "warm": "WarmState", "zero": "ZeroState"},
    ScalarMix: {"learned": "LearnedScalarMix", "fixed": "FixedScalarMix"},
    WordCache: {
        "lru": "LruWordCache",
        "none": "NoWordCache",
        "vocabulary": "VocabularyWordCache",
    },
    ActivationCache: {"hdf5": "Hdf5ActivationCache", "none": "NoActivationCache"},
    DatasetReader: {
        "bilm_corpus": "BilmCorpusReader",
        "conllu_tagging": "ConlluTaggingReader",
    },
    Model: {"bidirectional_lm": "BidirectionalLm"},
    Predictor: {"elmo_tagger": "ElmoTaggerPredictor"},
    Subcommand: {
        "elmo": "ElmoVectors",
        "elmo-change": "ElmoChange",
        "elmo-convert": "ElmoConvert",
        "elmo-look": "ElmoLook",
        "elmo-score": "ElmoScore",
        "elmo-substitutes": "ElmoSubstitutes",
        "elmo-export": "ElmoExport",
        "elmo-models": "ElmoModels",
        "elmo-tokenize": "ElmoTokenize",
    },
    TrainerCallback: {
        "activation_cache_summary": "ActivationCacheSummary",
        "bilm_progress": "BilmProgress",
        "bilm_resumption": "BilmResumption",
    },
    Vocabulary: {"bilm_vocabulary": "BilmVocabulary"},
}


@pytest.mark.parametrize(
    "base, name, class_name",
    [(base, name, cls) for base, names in NAMES.items() for name, cls in names.items()],
)
def test_a_name_gives_its_class(base: Type[Registrable], name: str, class_name: str) -> None:
    """Importing the package registers the class, and the package exports it."""
    assert base.resolve_class_name(name)[0] is getattr(allennlp_elmo_plugin, class_name)


@pytest.mark.parametrize("base", [ActivationCache, ElmoEncoder, InitialState, ScalarMix, WordCache])
def test_the_table_above_is_complete(base: Type[Registrable]) -> None:
    """The table above has every registered component."""
    assert set(base.list_available()) == set(NAMES[base])


@pytest.mark.parametrize("name", allennlp_elmo_plugin.__all__)
def test_every_exported_name_exists(name: str) -> None:
    """The package has every name of its `__all__`."""
    assert hasattr(allennlp_elmo_plugin, name)
