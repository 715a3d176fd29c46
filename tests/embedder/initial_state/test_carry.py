"""The initial state that is carried from batch to batch."""

import copy
from pathlib import Path
from threading import Thread

import pytest
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin import BilmEncoder, CarryState, InitialState
from allennlp_elmo_plugin.network.bidirectional_lstm import LstmState
from tests.embedder.initial_state.states import full_state, row_values
from tests.support.elmo_files import write_elmo_files
from tests.support.embedders import embedder
from tests.support.sentences import spell
from tests.support.threads import in_threads


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


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("part", LstmState._fields)
def test_a_state_that_is_not_finite_is_refused(part: str, value: float) -> None:
    """The error names the rows and what to do, and the state from before stays remembered."""
    carry = CarryState()
    carry.finish(full_state(1.0, rows=3))
    bad = full_state(2.0, rows=3)
    getattr(bad, part)[1, 0, 2, 1] = value
    with pytest.raises(ConfigurationError, match="(?s)infinite numbers or NaN.*of row 2.*reset"):
        carry.finish(bad)
    assert row_values(carry.start(full_state(0.0, rows=3))) == [1.0, 1.0, 1.0]


def test_a_large_state_is_finite() -> None:
    """Finite numbers whose sum is not finite are remembered."""
    carry, large = CarryState(), torch.finfo(torch.float32).max
    carry.finish(full_state(large, rows=2))
    assert row_values(carry.start(full_state(0.0, rows=2))) == [large, large]


def test_a_batch_after_one_of_nan_is_right(tmp_path: Path) -> None:
    """Weights of NaN for one batch are an error, and the next batch goes on as if it never was."""
    files = write_elmo_files(tmp_path)
    module, expected = (embedder(files) for _ in range(2))
    assert isinstance(module.encoder, BilmEncoder)
    weight = module.encoder.bilm.lstm.layers[0][0].bias
    for side in (module, expected):
        side(spell("It rains"))
    saved = weight.detach().clone()
    with torch.no_grad():
        weight.fill_(float("nan"))
    with pytest.raises(ConfigurationError, match="infinite numbers or NaN.*of row 0"):
        module(spell("It rains"))
    with torch.no_grad():
        weight.copy_(saved)
    assert torch.equal(module(spell("all day")), expected(spell("all day")))


def test_overlapping_batches_of_threads_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """One warning says so if a thread starts a batch before another has finished its own."""
    carry = CarryState()
    for _ in range(2):
        carry.start(full_state(0.0, rows=1))
        thread = Thread(target=lambda: carry.start(full_state(0.0, rows=1)))
        thread.start()
        thread.join()
        carry.finish(full_state(1.0, rows=1))
    assert caplog.text.count("Several threads use one initial state 'carry'") == 1


def test_threads_may_take_turns(caplog: pytest.LogCaptureFixture) -> None:
    """Threads whose batches do not overlap get no warning, also after a batch that failed."""
    carry = CarryState()
    carry.start(full_state(0.0, rows=1))

    def run_batch() -> None:
        carry.start(full_state(0.0, rows=1))
        carry.finish(full_state(1.0, rows=1))

    for _ in range(2):
        thread = Thread(target=run_batch)
        thread.start()
        thread.join()
    assert row_values(carry.start(full_state(0.0, rows=1))) == [1.0]
    assert caplog.text == ""


def test_threads_do_not_crash() -> None:
    """Threads that use and reset a state at once get numbers of some batch, of any size."""
    carry = CarryState()

    def run_batches(thread: int) -> None:
        for turn in range(100):
            rows = 1 + (thread + turn) % 3
            assert set(row_values(carry.start(full_state(0.0, rows)))) <= {0.0, 1.0}
            carry.finish(full_state(1.0, rows))
            if turn % 7 == thread:
                carry.reset_states()

    in_threads(run_batches)
