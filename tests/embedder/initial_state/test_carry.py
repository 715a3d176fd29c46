"""The initial state that is carried from batch to batch."""

import copy

import pytest
import torch
from allennlp.common import Params

from allennlp_elmo_plugin import CarryState, InitialState
from allennlp_elmo_plugin.network.bidirectional_lstm import LstmState
from tests.embedder.initial_state.states import full_state, row_values


def test_it_is_the_default() -> None:
    """A config that names no initial state gets this one."""
    assert isinstance(InitialState.from_params(Params({})), CarryState)


def test_a_row_starts_where_it_ended() -> None:
    """A row goes on from its own last state, and a new row from zeros."""
    carry = CarryState()
    carry.finish(full_state(1.0, rows=2))
    assert row_values(carry.start(full_state(0.0, rows=3))) == [1.0, 1.0, 0.0]


def test_the_first_batch_starts_from_zeros() -> None:
    """Before any batch has ended, every row starts from zeros."""
    assert row_values(CarryState().start(full_state(0.0, rows=2))) == [0.0, 0.0]


def test_rows_that_a_batch_lacks_are_remembered() -> None:
    """A smaller batch leaves the state of the other rows as it was."""
    carry = CarryState()
    carry.finish(full_state(1.0, rows=3))
    assert row_values(carry.start(full_state(0.0, rows=1))) == [1.0]
    carry.finish(full_state(2.0, rows=1))
    assert row_values(carry.start(full_state(0.0, rows=3))) == [2.0, 1.0, 1.0]


def test_no_gradient_is_carried() -> None:
    """Gradients do not flow from a batch into the one before it."""
    carry = CarryState()
    carry.finish(LstmState(*(part.requires_grad_() for part in full_state(1.0, rows=1))))
    assert not any(part.requires_grad for part in carry.start(full_state(0.0, rows=1)))


def test_a_reset_forgets_every_row() -> None:
    """After a reset every row starts from zeros."""
    carry = CarryState()
    carry.finish(full_state(1.0, rows=1))
    carry.reset_states()
    assert row_values(carry.start(full_state(0.0, rows=1))) == [0.0]


def test_a_mask_chooses_the_rows_to_forget() -> None:
    """The rows of the mask start from zeros, and the others go on."""
    carry = CarryState()
    carry.finish(full_state(1.0, rows=3))
    carry.reset_states(torch.tensor([False, True, False]))
    assert row_values(carry.start(full_state(0.0, rows=3))) == [1.0, 0.0, 1.0]


def test_a_mask_of_other_rows_is_refused() -> None:
    """A mask needs an element for each remembered row, as with AllenNLP's encoders."""
    carry = CarryState()
    carry.finish(full_state(1.0, rows=3))
    with pytest.raises(ValueError, match=r"shape \(3,\), .* got shape \(2,\)"):
        carry.reset_states(torch.tensor([False, True]))


def test_a_mask_before_the_first_batch_changes_nothing() -> None:
    """Rows that have no state yet start from zeros anyway."""
    carry = CarryState()
    carry.reset_states(torch.tensor([True]))
    assert row_values(carry.start(full_state(0.0, rows=1))) == [0.0]


def test_the_carried_state_is_copied_but_not_saved() -> None:
    """The state is no part of an archive, but a copy of the module has it."""
    carry = CarryState()
    carry.finish(full_state(1.0, rows=1))
    assert not carry.state_dict()
    assert row_values(copy.deepcopy(carry).start(full_state(0.0, rows=1))) == [1.0]


def test_layers_cannot_be_cached() -> None:
    """The reason names this initial state, and those whose layers can be cached."""
    reason = CarryState().uncacheable_reason() or ""
    assert all(name in reason for name in ("'carry'", "'warm'", "'zero'"))
