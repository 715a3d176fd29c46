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
    The state in which the same row of the previous batch ended.

    AllenNLP's built-in and bilm-tf do the same. New rows start from zeros, and rows that a batch
    lacks keep their state. The same sentence gets different vectors after different text. The
    remembered state is neither saved nor shared between processes.

    It follows AllenNLP's protocol for modules with a state: `stateful` is `True`, and
    `reset_states` forgets the state.

    Registered as an `InitialState` with name "carry".
    """

    stateful = True
    """`True`: AllenNLP resets the states of such modules before it compares two models."""

    def __init__(self) -> None:
        super().__init__()
        self._remembered: Optional[LstmState] = None

    @overrides
    def start(self, zeros: LstmState) -> LstmState:
        """
        Returns the remembered state of each row.

        # Parameters

        zeros : `LstmState`
            A state of zeros for the batch.

        # Returns

        `LstmState`
        """
        if self._remembered is None:
            return zeros
        rows = zeros.hidden.size(2)
        if rows == self._remembered.hidden.size(2):
            return LstmState(*(old.to(new) for old, new in zip(self._remembered, zeros)))
        return LstmState(
            *(
                torch.cat([old.to(new)[:, :, :rows], new[:, :, old.size(2) :]], dim=2)
                for old, new in zip(self._remembered, zeros)
            )
        )

    @overrides
    def finish(self, state: LstmState) -> None:
        """
        Remembers the state after a batch, without its gradient.

        # Parameters

        state : `LstmState`
            The state after each row's last token.
        """
        detached = LstmState(*(part.detach() for part in state))
        rows = state.hidden.size(2)
        if self._remembered is not None and rows < self._remembered.hidden.size(2):
            detached = LstmState(
                *(
                    torch.cat([new, old.to(new)[:, :, rows:]], dim=2)
                    for old, new in zip(self._remembered, detached)
                )
            )
        self._remembered = detached

    def reset_states(self, mask: Optional[torch.Tensor] = None) -> None:
        """
        Forgets the remembered state, so rows start from zeros again.

        # Parameters

        mask : `torch.Tensor`, optional (default = `None`)
            Shape (rows,), bool: `True` = forget the state of this row. `None` forgets every row.

        # Raises

        `ValueError`
            When the mask has another number of rows than the remembered state.
        """
        if mask is None or self._remembered is None:
            self._remembered = None
            return
        rows = self._remembered.hidden.size(2)
        if mask.shape != (rows,):
            raise ValueError(
                f"Expected a mask of shape ({rows},), one element for each row of the state that "
                f"is carried, got shape {tuple(mask.shape)}. Without a mask every row is reset."
            )
        forgotten = mask.to(self._remembered.hidden.device).unsqueeze(-1)
        self._remembered = LstmState(
            *(part.masked_fill(forgotten, 0.0) for part in self._remembered)
        )
