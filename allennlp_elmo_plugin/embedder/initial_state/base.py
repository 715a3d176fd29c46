"""
The base class of initial states.
"""

from typing import Optional

import torch
from allennlp.common import Registrable

from allennlp_elmo_plugin.network.bidirectional_lstm import LstmState
from allennlp_elmo_plugin.network.elmo_bilm import ElmoBilm

__all__ = ["InitialState"]


class InitialState(torch.nn.Module, Registrable):
    """
    The state that the LSTMs of a biLM start each sentence from.

    The methods are called in this order: `allocate` once, then for each batch `prepare`, `start`
    and `finish`.
    """

    default_implementation = "carry"

    def uncacheable_reason(self) -> Optional[str]:
        """
        Returns the reason why a sentence's layers cannot be cached, if there is one.

        # Returns

        `Optional[str]`
            The reason, or `None` if every sentence starts from the same state, whatever came before
            it.
        """
        return (
            "its initial state depends on the batches before, as 'carry' does; 'warm' and 'zero' "
            "do not"
        )

    def allocate(self, bilm: ElmoBilm) -> None:
        """
        Makes the buffers that the state needs.

        # Parameters

        bilm : `ElmoBilm`
            The biLM. Its weights may still be missing.
        """

    def prepare(self, bilm: ElmoBilm) -> None:
        """
        Computes what the state needs, before each batch.

        # Parameters

        bilm : `ElmoBilm`
            The biLM with its weights.
        """

    def start(self, zeros: LstmState) -> LstmState:
        """
        Returns the state that a batch starts from.

        # Parameters

        zeros : `LstmState`
            A state of zeros, in the shapes, the dtype and on the device of the state to return.

        # Returns

        `LstmState`
        """
        raise NotImplementedError(f"{type(self).__name__} gives no state to start from")

    def finish(self, state: LstmState) -> None:
        """
        Receives the state after a batch.

        # Parameters

        state : `LstmState`
            The state after each row's last token.
        """
