"""
The network itself: no registry, no files read by a constructor.
"""

from allennlp_elmo_plugin.modules.char_cnn import CharCnn
from allennlp_elmo_plugin.modules.dropout import dropout
from allennlp_elmo_plugin.modules.elmo_bilm import ElmoBilm
from allennlp_elmo_plugin.modules.lstm import BidirectionalLstm, LstmState
from allennlp_elmo_plugin.modules.projected_lstm import ProjectedLstm
from allennlp_elmo_plugin.modules.sentences import Sentences

__all__ = [
    "BidirectionalLstm",
    "CharCnn",
    "ElmoBilm",
    "LstmState",
    "ProjectedLstm",
    "Sentences",
    "dropout",
]
