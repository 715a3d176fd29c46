"""
Layers of whole sentences on disk: a folder of HDF5 files that are written once, as a whole.

An HDF5 file cannot be written to in place without the risk of losing all of it when the process
is killed, so that no file is ever changed: what is new comes in a file of its own, which appears
in the folder when it is complete.
"""

from allennlp_elmo_plugin.activation_store.segment import DamagedSegment, Segment, to_bytes
from allennlp_elmo_plugin.activation_store.store import ActivationStore

__all__ = ["ActivationStore", "DamagedSegment", "Segment", "to_bytes"]
