"""
`MultiProcessDataLoader` with a `start_method` other than `fork`.

AllenNLP gives its workers a lock for their progress bars, and takes it from the default
context instead of the one that starts the workers. A lock of the `fork` context means
nothing in a spawned process: newer Pythons refuse to send it, older ones send an address
that is not valid there, and a reader that shows progress dies and leaves its parent waiting.
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


def _lock_is_foreign(ctx: BaseContext) -> bool:
    return multiprocessing.get_start_method() == "fork" and ctx.get_start_method() != "fork"


def _start(work: Callable[..., None], count: int, queue: Any, ctx: Any) -> Workers:
    lock = ctx.RLock()
    Tqdm.set_lock(lock)
    workers: List[BaseProcess] = []
    senders: List[Connection] = []
    for worker_id in range(count):
        receiver, sender = ctx.Pipe(duplex=False)
        worker = ctx.Process(target=work, args=(worker_id, queue, lock, receiver), daemon=True)
        # A worker finds the lock by a name that is gone with the last reference here, and it
        # may still be starting when another loader replaces the lock in `Tqdm`.
        worker.progress_lock = lock
        worker.start()
        workers.append(worker)
        senders.append(sender)
    return workers, senders


def _repair_of(work: str) -> Callable[[Method], Method]:
    def repair(start_workers: Method) -> Method:
        def repaired(self: Any, queue: Any, ctx: Any) -> Workers:
            if not _lock_is_foreign(ctx):
                return start_workers(self, queue, ctx)
            return _start(getattr(self, work), self.num_workers, queue, ctx)

        return repaired

    return repair


def patch_spawn() -> None:
    """
    Let the workers of a `MultiProcessDataLoader` have a lock of their own context.

    Whether that is needed can change with `multiprocessing.set_start_method`, so it is decided
    when workers start. Where AllenNLP's lock is good, AllenNLP's own code runs.
    """
    replace_method(
        MultiProcessDataLoader,
        "_start_instance_workers",
        _repair_of("_instance_worker"),
    )
    replace_method(MultiProcessDataLoader, "_start_batch_workers", _repair_of("_batch_worker"))
