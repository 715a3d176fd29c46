"""
The initial state of zeros.
"""

from overrides import overrides

from allennlp_elmo_plugin.embedder.initial_state.base import InitialState
from allennlp_elmo_plugin.network.bidirectional_lstm import LstmState

__all__ = ["ZeroState"]


@InitialState.register("zero")
class ZeroState(InitialState):
    """
    Every sentence starts from zeros, so that its vectors depend on it alone. The biLM was trained
    with states carried from sentence to sentence, so this costs some quality.

    Registered as an `InitialState` with name "zero".
    """

    is_pure = True

    @overrides
    def start(self, zeros: LstmState) -> LstmState:
        """Returns `zeros` as they are."""
        return zeros
