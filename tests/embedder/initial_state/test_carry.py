"""Where the LSTMs start."""

import copy

import torch

from allennlp_elmo_plugin import CarryState, ZeroState
from allennlp_elmo_plugin.network.bidirectional_lstm import LstmState


def _state(value: float, rows: int) -> LstmState:
    return LstmState(torch.full((2, 1, rows, 3), value), torch.full((2, 1, rows, 5), value))


def _first_values(state: LstmState) -> list:
    assert torch.equal(state.hidden[..., 0], state.cell[..., 0])
    return state.hidden[0, 0, :, 0].tolist()


def test_zero_forgets_what_came_before() -> None:
    """However a batch ended, the next one starts from zeros."""
    part = ZeroState()
    part.finish(_state(1.0, rows=2))
    assert _first_values(part.start(_state(0.0, rows=2))) == [0.0, 0.0]


def test_carry_starts_a_row_where_it_ended() -> None:
    """A row goes on from its own last state, and a new row from zeros."""
    part = CarryState()
    part.finish(_state(1.0, rows=2))
    assert _first_values(part.start(_state(0.0, rows=3))) == [1.0, 1.0, 0.0]


def test_carry_keeps_rows_that_are_not_there() -> None:
    """A smaller batch does not cost the other rows their state."""
    part = CarryState()
    part.finish(_state(1.0, rows=3))
    assert _first_values(part.start(_state(0.0, rows=1))) == [1.0]
    part.finish(_state(2.0, rows=1))
    assert _first_values(part.start(_state(0.0, rows=3))) == [2.0, 1.0, 1.0]


def test_carry_keeps_no_gradient() -> None:
    """Gradients do not flow from a batch into the one before it."""
    part = CarryState()
    state = LstmState(*(part.requires_grad_() for part in _state(1.0, rows=1)))
    part.finish(state)
    assert not part.start(_state(0.0, rows=1)).hidden.requires_grad


def test_carry_resets() -> None:
    """After a reset every row starts from zeros."""
    part = CarryState()
    part.finish(_state(1.0, rows=1))
    part.reset()
    assert _first_values(part.start(_state(0.0, rows=1))) == [0.0]


def test_what_is_carried_is_not_saved() -> None:
    """The state is no part of an archive, but a copy of the module has it."""
    part = CarryState()
    part.finish(_state(1.0, rows=1))
    assert not part.state_dict()
    assert _first_values(copy.deepcopy(part).start(_state(0.0, rows=1))) == [1.0]
