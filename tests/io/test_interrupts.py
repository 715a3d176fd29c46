"""Ctrl-C that is put off."""

import os
import signal
import threading
from typing import Any, List

import pytest

from allennlp_elmo_plugin.io.interrupts import deferred_interrupts

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs signals")


def _interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_it_comes_at_the_end_of_the_block() -> None:
    """The block runs to its end, and then KeyboardInterrupt is raised."""
    done: List[str] = []
    with pytest.raises(KeyboardInterrupt), deferred_interrupts():
        _interrupt()
        _interrupt()
        done.append("all")
    assert done == ["all"]


def test_an_error_of_the_block_goes_first() -> None:
    """The error is raised as it is."""
    with pytest.raises(ValueError, match="mine"), deferred_interrupts():
        _interrupt()
        raise ValueError("mine")


def test_the_handler_of_before_is_called_and_put_back() -> None:
    """A program that handles Ctrl-C in its own way keeps that."""
    calls: List[Any] = []
    before = signal.signal(signal.SIGINT, lambda *arguments: calls.append(arguments[0]))
    try:
        with deferred_interrupts():
            _interrupt()
            assert calls == []
        assert calls == [signal.SIGINT]
        _interrupt()
        assert calls == [signal.SIGINT] * 2
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_ignored_interrupt_stays_ignored() -> None:
    """As in a process that runs in the background."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with deferred_interrupts():
            _interrupt()
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_without_an_interrupt_nothing_happens() -> None:
    """The handler is the same afterwards, in the main thread and in another."""
    before = signal.getsignal(signal.SIGINT)
    with deferred_interrupts():
        pass
    ran: List[bool] = []

    def run() -> None:
        with deferred_interrupts():
            ran.append(True)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert ran == [True] and signal.getsignal(signal.SIGINT) == before
