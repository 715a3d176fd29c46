"""The LSTM states that are carried from window to window."""

from typing import List

import pytest
import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.language_model.stream_states import StreamStates
from allennlp_elmo_plugin.network.bidirectional_lstm import LstmState


def _state(*rows: float) -> LstmState:
    """Returns a state of two directions and one layer that has one number in each row."""
    numbers = torch.tensor(rows, dtype=torch.float32).view(1, 1, -1, 1)
    return LstmState(numbers.expand(2, 1, -1, 3).clone(), numbers.expand(2, 1, -1, 4).clone())


def _rows(state: LstmState) -> List[float]:
    """Returns the number of each row of such a state."""
    assert torch.equal(state.hidden[:, :, :, :1], state.cell[:, :, :, :1])
    return state.hidden[0, 0, :, 0].tolist()


def test_a_window_starts_in_the_state_of_the_previous_one() -> None:
    """Neither its row in the batch nor the other streams matter."""
    states = StreamStates()
    states.finish([0, 1], [0, 0], _state(1, 2))
    states.finish([5, 4], [0, 0], _state(3, 4))
    assert _rows(states.start([1, 0], [1, 1], _state(8, 9))) == [2, 1]
    assert _rows(states.start([4, 5], [1, 1], _state(8, 9))) == [4, 3]


def test_the_first_window_starts_in_the_initial_state() -> None:
    """This holds for new streams and for streams that begin again in the next pass."""
    states = StreamStates()
    assert _rows(states.start([0, 1], [0, 0], _state(8, 9))) == [8, 9]
    states.finish([0, 1], [0, 0], _state(1, 2))
    assert _rows(states.start([0, 1], [0, 1], _state(8, 9))) == [8, 2]


def test_an_unknown_stream_starts_in_the_initial_state() -> None:
    """A resumed training may lack the states of its other processes."""
    states = StreamStates()
    assert _rows(states.start([0, 1], [7, 7], _state(8, 9))) == [8, 9]


@pytest.mark.parametrize(
    ("streams", "windows"), [([0, 1], [2, 1]), ([1, 0], [0, 3]), ([0, 0], [1, 2]), ([1, 1], [0, 0])]
)
def test_windows_out_of_order_are_an_error(streams: List[int], windows: List[int]) -> None:
    """A loader that shuffles, or that has another batch size than the reader, is noticed."""
    states = StreamStates()
    states.finish([0, 1], [0, 0], _state(1, 2))
    with pytest.raises(ConfigurationError, match="'batch_size'"):
        states.start(streams, windows, _state(8, 9))


def test_no_gradient_reaches_earlier_windows() -> None:
    """States are stored without their gradient."""
    states = StreamStates()
    end = LstmState(*(part.requires_grad_() for part in _state(1)))
    states.finish([0], [0], end)
    assert not any(part.requires_grad for part in states.start([0], [1], _state(9)))


def test_a_state_dict_restores_the_states() -> None:
    """A restored store continues the streams; the state dict of an empty store works, too."""
    states, copies = StreamStates(), StreamStates()
    copies.load_state_dict(states.state_dict())
    assert _rows(copies.start([0], [0], _state(9))) == [9]
    states.finish([0, 1], [0, 0], _state(1, 2))
    copies.load_state_dict(states.state_dict())
    assert _rows(copies.start([1], [1], _state(9))) == [2]
