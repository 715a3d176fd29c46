"""Where the LSTMs are in each stream of text."""

from typing import List

import pytest
import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.language_model.stream_states import StreamStates
from allennlp_elmo_plugin.network.bidirectional_lstm import LstmState


def _state(*rows: float) -> LstmState:
    """Of two directions and one layer, with the same number everywhere in a row."""
    numbers = torch.tensor(rows, dtype=torch.float32).view(1, 1, -1, 1)
    return LstmState(numbers.expand(2, 1, -1, 3).clone(), numbers.expand(2, 1, -1, 4).clone())


def _rows(state: LstmState) -> List[float]:
    assert torch.equal(state.hidden[:, :, :, :1], state.cell[:, :, :, :1])
    return state.hidden[0, 0, :, 0].tolist()


def test_a_window_starts_where_the_one_before_it_ended() -> None:
    """Whatever row of the batch it is in, and whatever other streams did in between."""
    states = StreamStates()
    states.finish([0, 1], [0, 0], _state(1, 2))
    states.finish([5, 4], [0, 0], _state(3, 4))
    assert _rows(states.start([1, 0], [1, 1], _state(8, 9))) == [2, 1]
    assert _rows(states.start([4, 5], [1, 1], _state(8, 9))) == [4, 3]


def test_first_windows_start_where_it_is_said() -> None:
    """Of a stream that is new, and of one that starts anew in the next pass."""
    states = StreamStates()
    assert _rows(states.start([0, 1], [0, 0], _state(8, 9))) == [8, 9]
    states.finish([0, 1], [0, 0], _state(1, 2))
    assert _rows(states.start([0, 1], [0, 1], _state(8, 9))) == [8, 2]


def test_a_stream_that_is_not_known_starts_anew() -> None:
    """As in a training that was resumed without what its other processes had remembered."""
    states = StreamStates()
    assert _rows(states.start([0, 1], [7, 7], _state(8, 9))) == [8, 9]


@pytest.mark.parametrize(
    ("streams", "windows"), [([0, 1], [2, 1]), ([1, 0], [0, 3]), ([0, 0], [1, 2]), ([1, 1], [0, 0])]
)
def test_windows_have_to_follow_each_other(streams: List[int], windows: List[int]) -> None:
    """A loader that shuffles, or has another batch size, is noticed."""
    states = StreamStates()
    states.finish([0, 1], [0, 0], _state(1, 2))
    with pytest.raises(ConfigurationError, match="'batch_size'"):
        states.start(streams, windows, _state(8, 9))


def test_no_gradient_goes_back_to_earlier_windows() -> None:
    """What is remembered is a constant."""
    states = StreamStates()
    end = LstmState(*(part.requires_grad_() for part in _state(1)))
    states.finish([0], [0], end)
    assert not any(part.requires_grad for part in states.start([0], [1], _state(9)))


def test_a_copy_of_what_is_remembered_goes_on() -> None:
    """As from a checkpoint; of nothing as well."""
    states, copies = StreamStates(), StreamStates()
    copies.load_state_dict(states.state_dict())
    assert _rows(copies.start([0], [0], _state(9))) == [9]
    states.finish([0, 1], [0, 0], _state(1, 2))
    copies.load_state_dict(states.state_dict())
    assert _rows(copies.start([1], [1], _state(9))) == [2]
