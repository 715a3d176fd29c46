"""
The initial state that is carried from batch to batch.
"""

from typing import Optional

import torch
from overrides import overrides

from allennlp_elmo_plugin.embedder.initial_state.base import InitialState
from allennlp_elmo_plugin.network.bidirectional_lstm import LstmState

__all__ = ["CarryState"]


@InitialState.register("carry")
class CarryState(InitialState):
    """
    Row i of a batch starts where row i of the batch before it ended, as in AllenNLP's built-in
    and in bilm-tf. Rows that were not there before start from zeros; rows that are not there now
    keep their state. The same sentence gets different vectors after different text.

    What is remembered is neither saved nor shared between processes.

    Registered as an `InitialState` with name "carry".
    """

    def __init__(self) -> None:
        super().__init__()
        self._remembered: Optional[LstmState] = None

    @overrides
    def start(self, zeros: LstmState) -> LstmState:
        """
        # Parameters

        zeros : `LstmState`
            A state of zeros for the batch.

        # Returns

        `LstmState`
            What earlier batches left in each row.
        """
        if self._remembered is None:
            return zeros
        rows = zeros.hidden.size(2)
        return LstmState(
            *(
                torch.cat([old.to(new)[:, :, :rows], new[:, :, old.size(2) :]], dim=2)
                for old, new in zip(self._remembered, zeros)
            )
        )

    @overrides
    def finish(self, state: LstmState) -> None:
        """
        # Parameters

        state : `LstmState`
            The state in which the batch ended. It is kept without its gradient.
        """
        detached = LstmState(*(part.detach() for part in state))
        if self._remembered is not None:
            rows = state.hidden.size(2)
            detached = LstmState(
                *(
                    torch.cat([new, old.to(new)[:, :, rows:]], dim=2)
                    for old, new in zip(self._remembered, detached)
                )
            )
        self._remembered = detached

    def reset(self) -> None:
        """Forgets: every row starts from zeros again."""
        self._remembered = None
