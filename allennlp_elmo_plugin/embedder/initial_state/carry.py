"""
The initial state that is carried from batch to batch.
"""

import logging
from math import isfinite
from threading import get_ident
from typing import Optional

import torch
from allennlp.common.checks import ConfigurationError
from overrides import overrides

from allennlp_elmo_plugin.embedder.initial_state.base import InitialState
from allennlp_elmo_plugin.io.locks import Once
from allennlp_elmo_plugin.network.bidirectional_lstm import LstmState

__all__ = ["CarryState"]

logger = logging.getLogger(__name__)


@InitialState.register("carry")
class CarryState(InitialState):
    """
    The state in which the same row of the previous batch ended.

    AllenNLP's built-in and bilm-tf do the same. New rows start from zeros, and rows that a batch
    lacks keep their state. The same sentence gets different vectors after different text. The
    remembered state is neither saved nor shared between processes.

    It is not for several threads: which state a batch starts from would depend on which thread
    comes first. One warning says so if their batches overlap. Use `warm` or `zero`, or give each
    thread a deep copy of the model.

    It follows AllenNLP's protocol for modules with a state: `stateful` is `True`, and
    `reset_states` forgets the state.

    Registered as an `InitialState` with name "carry".
    """

    stateful = True
    """`True`: AllenNLP resets the states of such modules before it compares two models."""
    remembered: Optional[LstmState]
    """The state that the next batch starts from, with a row for each sentence; `None` = zeros."""

    def __init__(self) -> None:
        super().__init__()
        self.remembered = None
        self._last_to_start: Optional[int] = None
        self._warn_of_threads = Once()

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
        self._last_to_start = get_ident()
        # Read once: another thread may reset it meanwhile.
        remembered = self.remembered
        if remembered is None:
            return zeros
        rows = zeros.hidden.size(2)
        if rows == remembered.hidden.size(2):
            return LstmState(*(old.to(new) for old, new in zip(remembered, zeros)))
        return LstmState(
            *(
                torch.cat([old.to(new)[:, :, :rows], new[:, :, old.size(2) :]], dim=2)
                for old, new in zip(remembered, zeros)
            )
        )

    @overrides
    def finish(self, state: LstmState) -> None:
        """
        Remembers the state after a batch, without its gradient.

        # Parameters

        state : `LstmState`
            The state after each row's last token.

        # Raises

        `ConfigurationError`
            When the state is not finite. The one from before stays remembered.
        """
        detached = LstmState(*(part.detach() for part in state))
        _require_finite(detached)
        overlaps = self._last_to_start not in (None, get_ident())
        if overlaps and self._warn_of_threads.is_first():
            logger.warning(
                "Several threads use one initial state 'carry' at the same time, so it is left to "
                "chance which state a batch starts from. Use the initial state 'warm' or 'zero', "
                "or give each thread a deep copy of the model."
            )
        rows, remembered = state.hidden.size(2), self.remembered
        if remembered is not None and rows < remembered.hidden.size(2):
            detached = LstmState(
                *(
                    torch.cat([new, old.to(new)[:, :, rows:]], dim=2)
                    for old, new in zip(remembered, detached)
                )
            )
        self.remembered = detached

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
        remembered = self.remembered
        if mask is None or remembered is None:
            self.remembered = None
            return
        rows = remembered.hidden.size(2)
        if mask.shape != (rows,):
            raise ValueError(
                f"Expected a mask of shape ({rows},), one element for each row of the state that "
                f"is carried, got shape {tuple(mask.shape)}. Without a mask every row is reset."
            )
        forgotten = mask.to(remembered.hidden.device).unsqueeze(-1)
        self.remembered = LstmState(*(part.masked_fill(forgotten, 0.0) for part in remembered))


def _require_finite(state: LstmState) -> None:
    # No NaN and no infinite number vanishes in a sum, which takes half the time of looking at each.
    # On a GPU this waits for the batch, as the check of the next batch's ids would.
    if isfinite(float(state.hidden.sum() + state.cell.sum())):
        return
    is_finite = state.hidden.isfinite().all(dim=-1) & state.cell.isfinite().all(dim=-1)
    rows = (~is_finite).flatten(0, 1).any(dim=0).nonzero().flatten().tolist()
    if rows:
        raise ConfigurationError(
            "Expected a finite state of the biLM to carry to the next batch, got infinite numbers "
            f"or NaN at the end of row {', '.join(map(str, rows))}. Check the weights for such "
            "numbers; a training that diverges makes some. The state from before this batch is "
            "kept, so the next batch goes on from it; 'reset_states' forgets it."
        )
