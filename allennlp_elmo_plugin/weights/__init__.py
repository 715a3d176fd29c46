"""
The weights of a biLM on disk.

One table, the weight table, maps each HDF5 dataset to the parameter that it holds and to the name
of that parameter in AllenNLP's built-in ELMo. Reading, writing, checking and converting use it.
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
