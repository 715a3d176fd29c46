"""The patch for the worker processes of `MultiProcessDataLoader`."""

import gc
import signal
import weakref
from pathlib import Path
from typing import Any, Iterator, List, Optional, Tuple

import pytest
from allennlp.common.tqdm import Tqdm
from allennlp.data import Vocabulary
from allennlp.data.data_loaders.multiprocess_data_loader import MultiProcessDataLoader

from allennlp_elmo_plugin.patches.spawn import patch_spawn

from .experiment import SENTENCES, write_sentences
from .readers import ReaderWithProgress

SECONDS = 120


@pytest.fixture(autouse=True)
def no_hanging() -> Iterator[None]:
    """Fails a test that hangs: without the patch, a worker can crash while its parent waits."""

    def stop(signum: int, frame: Any) -> None:
        raise TimeoutError(f"the data loader gave nothing for {SECONDS} seconds")

    previous = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, previous)


@pytest.fixture(autouse=True)
def own_progress_lock() -> Iterator[None]:
    """Restores Tqdm's lock after the test."""
    lock = Tqdm.get_lock()
    yield
    Tqdm.set_lock(lock)


def loader(folder: Path, start_method: str, in_memory: Any) -> Any:
    """Returns a loader of the sentences with two workers."""
    return MultiProcessDataLoader(
        ReaderWithProgress(),
        str(write_sentences(folder)),
        batch_size=1,
        num_workers=2,
        max_instances_in_memory=in_memory,
        start_method=start_method,
        quiet=True,
    )


def words(data: Any) -> List[List[str]]:
    """Returns the sentences of the batches in alphabetical order."""
    vocab = Vocabulary()
    for sentence in SENTENCES:
        for word, tag in sentence:
            vocab.add_token_to_namespace(word, "tokens")
            vocab.add_token_to_namespace(tag, "labels")
    data.index_with(vocab)
    return sorted(
        [vocab.get_token_from_index(int(index)) for index in batch["tokens"]["tokens"]["tokens"][0]]
        for batch in data
    )


EXPECTED = sorted([word for word, _ in sentence] for sentence in SENTENCES)


def test_spawned_workers_read_all_instances(tmp_path: Path) -> None:
    """Without `max_instances_in_memory`, two spawned workers read all sentences into memory."""
    assert words(loader(tmp_path, "spawn", None)) == EXPECTED


def test_spawned_workers_make_batches(tmp_path: Path) -> None:
    """With `max_instances_in_memory`, two spawned workers build all batches."""
    assert words(loader(tmp_path, "spawn", 2)) == EXPECTED


@pytest.mark.parametrize("in_memory", [None, 2])
def test_forked_workers_read_as_before(tmp_path: Path, in_memory: Optional[int]) -> None:
    """Two forked workers read all sentences, as without the patch."""
    assert words(loader(tmp_path, "fork", in_memory)) == EXPECTED


class Lock:
    """A lock with an identity, of which a weak reference can be taken."""

    def acquire(self, *args: Any, **kwargs: Any) -> bool:
        """Returns `True`, as if the lock were free."""
        return True

    def release(self) -> None:
        """Does nothing."""


class Process:
    """A process that records the arguments of its worker and starts nothing."""

    def __init__(self, target: Any, args: Tuple[Any, ...], daemon: bool) -> None:
        self.arguments: Optional[Tuple[Any, ...]] = args
        self.lock = args[2]

    def start(self) -> None:
        """Does nothing."""


class Context:
    """A multiprocessing context whose processes start nothing."""

    def __init__(self, start_method: str) -> None:
        self.start_method = start_method
        self.lock: Optional[Lock] = None

    def get_start_method(self) -> str:
        """Returns the start method that the context was made with."""
        return self.start_method

    def RLock(self) -> Lock:
        """Returns a new lock, which the context keeps."""
        self.lock = Lock()
        return self.lock

    def Pipe(self, duplex: bool) -> Tuple[str, str]:
        """Returns names in place of the two ends of a pipe."""
        return "receiver", "sender"

    Process = Process


@pytest.mark.parametrize("starter", ["_start_instance_workers", "_start_batch_workers"])
@pytest.mark.parametrize("start_method", ["spawn", "forkserver"])
def test_lock_is_of_the_context_of_the_workers(
    tmp_path: Path, starter: str, start_method: str
) -> None:
    """Workers get a lock of the context that starts them."""
    data = loader(tmp_path, start_method, 2)
    context = Context(start_method)

    workers, senders = getattr(data, starter)("queue", context)

    assert [worker.lock for worker in workers] == [context.lock, context.lock]
    assert senders == ["sender", "sender"]


def test_lock_is_allennlps_where_that_is_right(tmp_path: Path) -> None:
    """Forked workers get the lock that AllenNLP takes from the default context."""
    context = Context("fork")

    workers, _ = loader(tmp_path, "fork", 2)._start_batch_workers("queue", context)

    assert context.lock is None
    assert all(worker.lock is Tqdm.get_lock() for worker in workers)


def test_lock_lives_as_long_as_the_workers(tmp_path: Path) -> None:
    """The lock exists until the last worker is gone, even if a later loader sets another one."""

    class ForgetfulProcess(Process):
        def start(self) -> None:
            self.arguments = self.lock = None

    context = Context("spawn")
    context.Process = ForgetfulProcess
    workers, _ = loader(tmp_path, "spawn", 2)._start_batch_workers("queue", context)
    assert context.lock is not None
    lock = weakref.ref(context.lock)
    context.lock = None
    Tqdm.set_lock(Lock())
    gc.collect()

    assert lock() is not None
    del workers
    gc.collect()
    assert lock() is None


def test_patching_twice_changes_nothing() -> None:
    """A second call leaves the methods that the first one put there."""
    methods = (
        MultiProcessDataLoader._start_instance_workers,
        MultiProcessDataLoader._start_batch_workers,
    )

    patch_spawn()

    assert methods == (
        MultiProcessDataLoader._start_instance_workers,
        MultiProcessDataLoader._start_batch_workers,
    )
