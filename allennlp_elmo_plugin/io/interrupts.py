"""
Putting off Ctrl-C until it can do no harm.
"""

import signal
import threading
from contextlib import contextmanager
from typing import Any, Iterator, List

__all__ = ["deferred_interrupts"]


@contextmanager
def deferred_interrupts() -> Iterator[None]:
    """
    Puts off Ctrl-C until the end of the block.

    Outside of the main thread, which alone receives it, the block runs as usual.

    # Raises

    `KeyboardInterrupt`
        At the end of the block, if Ctrl-C was pressed in it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: List[Any] = []
    before = signal.signal(signal.SIGINT, lambda *arguments: received.append(arguments))
    try:
        yield
    finally:
        # A handler that was not installed from Python cannot be put back.
        signal.signal(signal.SIGINT, signal.default_int_handler if before is None else before)
    if received and callable(before):
        before(*received[-1])
    elif received and before == signal.SIG_DFL:
        raise KeyboardInterrupt
