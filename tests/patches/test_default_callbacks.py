"""Callbacks that take part in every training."""

import pytest
from allennlp.training import TrainerCallback, gradient_descent_trainer

from allennlp_elmo_plugin.patches.default_callbacks import add_default_callbacks


class First(TrainerCallback):
    """A callback."""


class Second(TrainerCallback):
    """Another callback."""


@pytest.fixture(autouse=True)
def defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """Restores AllenNLP's default callbacks after the test."""
    before = gradient_descent_trainer.DEFAULT_CALLBACKS
    monkeypatch.setattr(gradient_descent_trainer, "DEFAULT_CALLBACKS", before)


def test_callbacks_follow_the_defaults_in_their_order() -> None:
    """AllenNLP's own callbacks stay first."""
    before = gradient_descent_trainer.DEFAULT_CALLBACKS
    add_default_callbacks(First, Second)
    after = gradient_descent_trainer.DEFAULT_CALLBACKS
    assert after == (*before, First, Second)


def test_a_callback_is_added_once() -> None:
    """A callback that is a default already is not added again."""
    before = gradient_descent_trainer.DEFAULT_CALLBACKS
    add_default_callbacks(First)
    add_default_callbacks(First, Second)
    after = gradient_descent_trainer.DEFAULT_CALLBACKS
    assert after == (*before, First, Second)
