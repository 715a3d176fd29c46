"""Work that several threads do at the same time."""

import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Callable, List, TypeVar

__all__ = ["NUM_THREADS", "in_threads"]

T = TypeVar("T")

NUM_THREADS = 8
SWITCH_INTERVAL = 1e-6


def in_threads(work: Callable[[int], T], num_threads: int = NUM_THREADS) -> List[T]:
    """
    Runs a function in several threads, which start together and interrupt each other often.

    # Parameters

    work : `Callable[[int], T]`
        Function that gets the number of its thread, from 0.
    num_threads : `int`, optional (default = `8`)
        Number of threads.

    # Returns

    `List[T]`
        The result of each thread. The first error of a thread is raised.
    """
    barrier, before = Barrier(num_threads), sys.getswitchinterval()

    def start(thread: int) -> T:
        barrier.wait()
        return work(thread)

    sys.setswitchinterval(SWITCH_INTERVAL)
    try:
        with ThreadPoolExecutor(num_threads) as pool:
            return list(pool.map(start, range(num_threads)))
    finally:
        sys.setswitchinterval(before)
