"""The initial state of zeros."""

from allennlp.common import Params

from allennlp_elmo_plugin import InitialState, ZeroState
from tests.embedder.initial_state.states import full_state, row_values


def test_a_config_names_it() -> None:
    """A config gets zeros by their name."""
    assert isinstance(InitialState.from_params(Params({"type": "zero"})), ZeroState)


def test_every_batch_starts_from_zeros() -> None:
    """However a batch ended, the next one starts from zeros."""
    zero = ZeroState()
    zero.finish(full_state(1.0, rows=2))
    assert row_values(zero.start(full_state(0.0, rows=3))) == [0.0, 0.0, 0.0]


def test_layers_from_zeros_can_be_cached() -> None:
    """Nothing keeps a sentence's layers from being cached, unlike in the base class."""
    assert ZeroState().uncacheable_reason() is None
    assert InitialState().uncacheable_reason() is not None


def test_zeros_are_not_saved() -> None:
    """Zeros have neither parameters nor buffers."""
    assert not ZeroState().state_dict() and not list(ZeroState().parameters())
