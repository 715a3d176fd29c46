"""Replacing a method of a class, once and with its signature."""

import inspect
import logging
from typing import Any, Callable

import pytest

from allennlp_elmo_plugin.patches.methods import replace_method


class Greeter:
    """A class with a method to patch."""

    def greet(self, name: str, mark: str = "!") -> str:
        """Greets someone."""
        return f"Hello, {name}{mark}"


class Child(Greeter):
    """A subclass that inherits the method."""


def _patch(greet: Callable[..., str]) -> Callable[..., str]:
    def patched(self: Greeter, *args: Any, **kwargs: Any) -> str:
        return greet(self, *args, **kwargs).upper()

    return patched


@pytest.fixture(autouse=True)
def original(monkeypatch: pytest.MonkeyPatch) -> None:
    """Restores the method after the test."""
    monkeypatch.setattr(Greeter, "greet", Greeter.greet)


def test_subclasses_inherit_the_patch() -> None:
    """The patched method runs for instances of the class and of its subclasses."""
    replace_method(Greeter, "greet", _patch)
    assert Greeter().greet("you") == Child().greet(name="you") == "HELLO, YOU!"


def test_signature_and_docstring_stay() -> None:
    """The patched method reports the signature and the docstring of the original."""
    signature = inspect.signature(Greeter.greet)
    replace_method(Greeter, "greet", _patch)
    assert inspect.signature(Greeter.greet) == signature
    assert Greeter.greet.__doc__ == "Greets someone."


def test_a_method_is_patched_once(caplog: pytest.LogCaptureFixture) -> None:
    """A second patch of the same method is not applied, and the log names the method once."""
    with caplog.at_level(logging.INFO):
        replace_method(Greeter, "greet", _patch)
        patched = Greeter.greet
        replace_method(Greeter, "greet", _patch)
    assert Greeter.greet is patched
    assert caplog.text.count("patched Greeter.greet") == 1
