"""
Where the LSTMs are in each stream of text.
"""

from typing import Any, Dict, List, Optional, Sequence

import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.network.bidirectional_lstm import LstmState

__all__ = ["StreamStates"]


class StreamStates:
    """
    Remembers in which state the last window of each stream ended, for the next one to start from.
    """

    def __init__(self) -> None:
        self._windows: Dict[int, int] = {}
        self._state: Optional[LstmState] = None

    def start(
        self, streams: Sequence[int], windows: Sequence[int], initial: LstmState
    ) -> LstmState:
        """
        # Parameters

        streams : `Sequence[int]`
            Which stream each row of the batch belongs to.
        windows : `Sequence[int]`
            The number of each row's window in its stream.
        initial : `LstmState`
            Where rows start that are the first window of their stream, or whose stream is not
            known: a training that is resumed may have forgotten it.

        # Returns

        `LstmState`
            Where each row starts, without gradients from earlier windows.

        # Raises

        `ConfigurationError`
            When windows do not follow each other.
        """
        known = [
            row for row, stream in enumerate(streams) if windows[row] and stream in self._windows
        ]
        in_order = all(self._windows[streams[row]] == windows[row] - 1 for row in known)
        if not in_order or len(set(streams)) < len(streams):
            raise ConfigurationError(
                "Expected the windows of each stream one after the other, at most one in a batch. "
                "Give the data loader the 'batch_size' of the reader 'bilm_corpus', no 'shuffle' "
                "and no 'batch_sampler'; the reader shuffles by its 'shuffle_buffer'."
            )
        if self._state is None or not known:
            return initial
        rows = initial.hidden.new_tensor(known, dtype=torch.long)
        remembered = rows.new_tensor([streams[row] for row in known])
        return LstmState(
            *(
                new.index_copy(2, rows, old.to(new).index_select(2, remembered))
                for new, old in zip(initial, self._state)
            )
        )

    def finish(self, streams: Sequence[int], windows: Sequence[int], state: LstmState) -> None:
        """
        # Parameters

        streams : `Sequence[int]`
            Which stream each row of the batch belongs to.
        windows : `Sequence[int]`
            The number of each row's window in its stream.
        state : `LstmState`
            Where each row ended. It is kept without its gradient.
        """
        self._windows.update(zip(streams, windows))
        rows = torch.tensor(streams, device=state.hidden.device)
        num_streams = max(self._windows) + 1
        parts: List[torch.Tensor] = []
        for old, new in zip(self._state or state, state):
            missing = num_streams - old.size(2)
            kept = torch.cat([old.to(new), new.new_zeros(*new.shape[:2], missing, new.size(3))], 2)
            parts.append(kept.detach().index_copy(2, rows, new.detach()))
        self._state = LstmState(*parts)

    def state_dict(self) -> Dict[str, Any]:
        """
        # Returns

        `Dict[str, Any]`
            What is remembered: numbers and tensors.
        """
        return {"windows": dict(self._windows), "state": self._state and tuple(self._state)}

    def load_state_dict(self, state_dict: Dict[str, Any]) -> None:
        """
        # Parameters

        state_dict : `Dict[str, Any]`
            What `state_dict` gave.
        """
        self._windows = dict(state_dict["windows"])
        self._state = state_dict["state"] and LstmState(*state_dict["state"])
