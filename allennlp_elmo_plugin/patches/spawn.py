"""
A patch for `MultiProcessDataLoader` with a `start_method` other than `fork`.

AllenNLP gives the workers a lock for their progress bars. It takes the lock from the default
multiprocessing context, not from the context that starts the workers. A spawned process cannot use
a lock of the `fork` context: newer Pythons refuse to send it, and older ones send an address that
is invalid there, so a reader that shows progress crashes and its parent waits forever.
"""

import multiprocessing
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from typing import Any, Callable, List, Tuple

from allennlp.common.tqdm import Tqdm
from allennlp.data.data_loaders.multiprocess_data_loader import MultiProcessDataLoader

from allennlp_elmo_plugin.patches.methods import Method, replace_method

__all__ = ["patch_spawn"]

Workers = Tuple[List[BaseProcess], List[Connection]]


def _is_needed(ctx: BaseContext) -> bool:
    return multiprocessing.get_start_method() == "fork" and ctx.get_start_method() != "fork"


def _start_workers(target: Callable[..., None], count: int, queue: Any, ctx: Any) -> Workers:
    lock = ctx.RLock()
    Tqdm.set_lock(lock)
    workers: List[BaseProcess] = []
    senders: List[Connection] = []
    for worker_id in range(count):
        receiver, sender = ctx.Pipe(duplex=False)
        worker = ctx.Process(target=target, args=(worker_id, queue, lock, receiver), daemon=True)
        # A starting worker finds the lock by a name that vanishes with the lock's last reference
        # in this process. Another loader may replace the lock in `Tqdm` before that.
        worker.progress_lock = lock
        worker.start()
        workers.append(worker)
        senders.append(sender)
    return workers, senders


def _patch(target: str) -> Callable[[Method], Method]:
    """Makes the patch of a method that starts workers, each of which runs the method `target`."""

    def patch(start_workers: Method) -> Method:
        def patched(self: Any, queue: Any, ctx: Any) -> Workers:
            if not _is_needed(ctx):
                return start_workers(self, queue, ctx)
            return _start_workers(getattr(self, target), self.num_workers, queue, ctx)

        return patched

    return patch


def patch_spawn() -> None:
    """
    Gives the workers of a `MultiProcessDataLoader` a lock of the context that starts them.

    `multiprocessing.set_start_method` can change which lock is right, so the choice is made when
    workers start. Where AllenNLP's lock is right, AllenNLP's own code runs.
    """
    replace_method(MultiProcessDataLoader, "_start_instance_workers", _patch("_instance_worker"))
    replace_method(MultiProcessDataLoader, "_start_batch_workers", _patch("_batch_worker"))
