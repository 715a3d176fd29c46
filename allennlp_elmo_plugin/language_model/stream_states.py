"""
The LSTM states that a language model carries from window to window.
"""

from typing import Any, Dict, List, Optional, Sequence

import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.network.bidirectional_lstm import LstmState

__all__ = ["StreamStates"]


class StreamStates:
    """
    A store of the LSTM state after the last window of each stream.
    """

    def __init__(self) -> None:
        self._windows: Dict[int, int] = {}
        self._state: Optional[LstmState] = None

    def start(
        self, streams: Sequence[int], windows: Sequence[int], initial: LstmState
    ) -> LstmState:
        """
        Returns the state in which each row of a batch starts.

        # Parameters

        streams : `Sequence[int]`
            Number of each row's stream.
        windows : `Sequence[int]`
            Number of each row's window in its stream.
        initial : `LstmState`
            State for rows with the first window of a stream, or with a stream that is not in the
            store. The latter happens in a training that is resumed without its stream states.

        # Returns

        `LstmState`
            The states, without gradients to earlier windows.

        # Raises

        `ConfigurationError`
            If a window does not follow the last one of its stream, or a stream has several rows.
        """
        known = [
            row for row, stream in enumerate(streams) if windows[row] and stream in self._windows
        ]
        in_order = all(self._windows[streams[row]] == windows[row] - 1 for row in known)
        if not in_order or len(set(streams)) < len(streams):
            raise ConfigurationError(
                "Expected each batch to have the next window of every stream, got windows in "
                "another order. Set the 'batch_size' of the data loader to that of the reader "
                "'bilm_corpus', and remove 'shuffle' and 'batch_sampler' from the data loader; the "
                "reader shuffles sentences by its 'shuffle_buffer'."
            )
        if self._state is None or not known:
            return initial
        rows = initial.hidden.new_tensor(known, dtype=torch.long)
        known_streams = rows.new_tensor([streams[row] for row in known])
        return LstmState(
            *(
                new.index_copy(2, rows, old.to(new).index_select(2, known_streams))
                for new, old in zip(initial, self._state)
            )
        )

    def finish(self, streams: Sequence[int], windows: Sequence[int], state: LstmState) -> None:
        """
        Stores the state in which each row of a batch ended.

        # Parameters

        streams : `Sequence[int]`
            Number of each row's stream.
        windows : `Sequence[int]`
            Number of each row's window in its stream.
        state : `LstmState`
            State after each row. It is stored without its gradient.
        """
        self._windows.update(zip(streams, windows))
        rows = torch.tensor(streams, device=state.hidden.device)
        num_streams = max(self._windows) + 1
        stored: List[torch.Tensor] = []
        for old, new in zip(self._state or state, state):
            missing = num_streams - old.size(2)
            enlarged = torch.cat(
                [old.to(new), new.new_zeros(*new.shape[:2], missing, new.size(3))], dim=2
            )
            stored.append(enlarged.detach().index_copy(2, rows, new.detach()))
        self._state = LstmState(*stored)

    def state_dict(self) -> Dict[str, Any]:
        """
        Returns the content of the store.

        # Returns

        `Dict[str, Any]`
            `windows`, the number of each stream's last window; and `state`, the two tensors of the
            LSTM states on the CPU, or `None` for an empty store.
        """
        state = self._state and tuple(part.cpu() for part in self._state)
        return {"windows": dict(self._windows), "state": state}

    def load_state_dict(self, state_dict: Dict[str, Any]) -> None:
        """
        Restores the content of the store.

        # Parameters

        state_dict : `Dict[str, Any]`
            Content returned by `state_dict`.
        """
        self._windows = dict(state_dict["windows"])
        self._state = state_dict["state"] and LstmState(*state_dict["state"])
