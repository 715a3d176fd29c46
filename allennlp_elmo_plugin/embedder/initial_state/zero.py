"""
The initial state of zeros.
"""

from typing import Optional

from overrides import overrides

from allennlp_elmo_plugin.embedder.initial_state.base import InitialState
from allennlp_elmo_plugin.network.bidirectional_lstm import LstmState

__all__ = ["ZeroState"]


@InitialState.register("zero")
class ZeroState(InitialState):
    """
    A state of zeros for every sentence, so its vectors depend on the sentence alone.

    The biLM was trained with states carried from sentence to sentence, so zeros cost some quality.

    Registered as an `InitialState` with name "zero".
    """

    @overrides
    def uncacheable_reason(self) -> Optional[str]:
        """Returns `None`: a sentence's layers depend on it alone."""
        return None

    @overrides
    def start(self, zeros: LstmState) -> LstmState:
        """Returns `zeros` as they are."""
        return zeros
