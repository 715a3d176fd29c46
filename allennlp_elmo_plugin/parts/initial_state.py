"""
Where the LSTMs of a biLM start each sentence.
"""

from typing import Optional

import torch
from allennlp.common import Registrable
from overrides import overrides

from allennlp_elmo_plugin.modules.elmo_bilm import ElmoBilm
from allennlp_elmo_plugin.modules.lstm import LstmState

__all__ = ["CarryState", "InitialState", "ZeroState"]


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
