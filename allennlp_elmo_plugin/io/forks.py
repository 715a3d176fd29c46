"""
Child processes that are forked after PyTorch has run.
"""

import os
from functools import lru_cache

import torch

__all__ = ["run_forks_on_one_thread"]


@lru_cache(maxsize=None)
def run_forks_on_one_thread() -> None:
    """
    Lets child processes that are forked from now on run PyTorch on one thread.

    A fork copies none of the threads that PyTorch and the kernels share their work with. GNU's
    OpenMP does not notice, so the child would wait for them forever.
    """
    # Windows has no fork.
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_run_on_one_thread)


def _run_on_one_thread() -> None:
    torch.set_num_threads(1)
