"""
Training a biLM: the corpus, the language model around the network, and what follows its progress.
"""

from allennlp_elmo_plugin.pretraining.bidirectional_lm import BidirectionalLm
from allennlp_elmo_plugin.pretraining.bilm_corpus import BilmCorpusReader
from allennlp_elmo_plugin.pretraining.bilm_vocabulary import BilmVocabulary
from allennlp_elmo_plugin.pretraining.corpus import find_files
from allennlp_elmo_plugin.pretraining.progress import BilmProgress
from allennlp_elmo_plugin.pretraining.resumption import BilmResumption

__all__ = [
    "BidirectionalLm",
    "BilmCorpusReader",
    "BilmProgress",
    "BilmResumption",
    "BilmVocabulary",
    "find_files",
]
