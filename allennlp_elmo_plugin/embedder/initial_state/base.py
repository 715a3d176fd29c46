"""
Where the LSTMs of a biLM start each sentence.
"""

import torch
from allennlp.common import Registrable

from allennlp_elmo_plugin.network.bidirectional_lstm import LstmState
from allennlp_elmo_plugin.network.elmo_bilm import ElmoBilm

__all__ = ["InitialState"]


class InitialState(torch.nn.Module, Registrable):
    """
    Gives the state in which a batch starts, and is told the one in which it ends. Nothing else in
    the plugin remembers a state.
    """

    default_implementation = "carry"
    is_pure = False
    """Whether every sentence starts from the same state, whatever came before it."""

    def fit(self, bilm: ElmoBilm) -> None:
        """
        Called once, when the biLM has its sizes.

        # Parameters

        bilm : `ElmoBilm`
            The biLM. Its weights may still be missing.
        """

    def settle(self, bilm: ElmoBilm) -> None:
        """
        Called before each batch, when the biLM has its weights.

        # Parameters

        bilm : `ElmoBilm`
            The biLM.
        """

    def start(self, zeros: LstmState) -> LstmState:
        """
        # Parameters

        zeros : `LstmState`
            A state of zeros for the batch: its shapes, type and device are those to return.

        # Returns

        `LstmState`
        """
        raise NotImplementedError(f"{type(self).__name__} gives no state to start from")

    def finish(self, state: LstmState) -> None:
        """
        # Parameters

        state : `LstmState`
            The state in which the batch ended.
        """
