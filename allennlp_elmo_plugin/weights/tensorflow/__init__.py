"""
Reading checkpoints and TF-Hub modules of TensorFlow, without TensorFlow.

A checkpoint consists of an index, which is a sorted table of Protocol Buffers, and of the shards
with the numbers. Each layer of the format has a module: the checksums, the messages, the table, the
bundle of tensors. Above them, `CheckpointFile` gives the variables of a biLM the names that they
have in bilm-tf's HDF5 files.
"""

from allennlp_elmo_plugin.weights.tensorflow.checkpoint_file import CheckpointFile, is_checkpoint
from allennlp_elmo_plugin.weights.tensorflow.checkpoint_options import checkpoint_options

__all__ = ["CheckpointFile", "checkpoint_options", "is_checkpoint"]
