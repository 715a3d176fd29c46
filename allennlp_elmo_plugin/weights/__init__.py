"""
The weights of a biLM on disk: one table says which HDF5 dataset holds which parameter, and what
the built-in ELMo of AllenNLP calls it. Reading, writing, checking and converting all follow it.
"""

from allennlp_elmo_plugin.weights.hdf5 import WeightFile, write_weights
from allennlp_elmo_plugin.weights.locations import find_options_file, find_weight_file
from allennlp_elmo_plugin.weights.softmax import read_softmax, write_softmax
from allennlp_elmo_plugin.weights.weight_table import builtin_names

__all__ = [
    "WeightFile",
    "builtin_names",
    "find_options_file",
    "find_weight_file",
    "read_softmax",
    "write_softmax",
    "write_weights",
]
