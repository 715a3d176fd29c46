"""
The weights of a biLM on disk.

One table, the weight table, maps each HDF5 dataset to the parameter that it holds. Reading, writing
and checking use it.
"""

from allennlp_elmo_plugin.weights.hdf5 import WeightFile, write_weights
from allennlp_elmo_plugin.weights.locations import find_options_file, find_weight_file
from allennlp_elmo_plugin.weights.open_weights import open_weights, read_options
from allennlp_elmo_plugin.weights.read_spelling import read_spelling
from allennlp_elmo_plugin.weights.softmax import has_softmax, read_softmax, write_softmax
from allennlp_elmo_plugin.weights.weight_table import parameter_names

__all__ = [
    "WeightFile",
    "find_options_file",
    "find_weight_file",
    "has_softmax",
    "open_weights",
    "parameter_names",
    "read_options",
    "read_softmax",
    "read_spelling",
    "write_softmax",
    "write_weights",
]
