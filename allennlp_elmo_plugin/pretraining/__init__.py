"""
Training a biLM: the corpus, the language model around the network, and what follows its progress.
"""

from allennlp_elmo_plugin.pretraining.bidirectional_lm import BidirectionalLm
from allennlp_elmo_plugin.pretraining.bilm_corpus import BilmCorpusReader

__all__ = ["BidirectionalLm", "BilmCorpusReader"]
