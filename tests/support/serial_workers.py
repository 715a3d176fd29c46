"""A stand-in for Ray: the workers of a distributed extraction, run in this process."""

from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, List, Set
from unittest.mock import patch

import torch

from allennlp_elmo_plugin.extraction.distributed import driver
from allennlp_elmo_plugin.extraction.distributed.on_ray import RECEIPTS, Cluster, read_receipts
from allennlp_elmo_plugin.extraction.distributed.shard import Shard
from allennlp_elmo_plugin.extraction.distributed.tables import table_bytes, table_of
from allennlp_elmo_plugin.extraction.distributed.worker import ShardWorker, WorkOrder

__all__ = ["CLUSTER", "SIZES", "SerialWorkers", "serial_workers"]

SIZES: Dict[str, Any] = {
    "filters": [(1, 16), (2, 16)],
    "char_dim": 16,
    "projection_dim": 16,
    "cell_size": 32,
}
"""Sizes that the kernels take, so that vectors do not depend on the sentences of a batch."""
CLUSTER = Cluster("local", num_workers=1, cpus_per_worker=1, gpus_per_worker=0.0)


class SerialWorkers:
    """
    Counts and extracts shards as `on_ray` does, and notes which.

    Receipts are files of the work, which the real `read_receipts` reads.
    """

    def __init__(self) -> None:
        self.counted: List[Shard] = []
        """The shards that were counted, also those in the driver."""
        self.extracted: List[Shard] = []
        self.num_sessions = 0
        self.lost: Set[int] = set()
        """Numbers of the shards whose worker dies."""
        self.stops_after = -1
        """The number of shards after which Ctrl-C comes, if it is not negative."""

    @contextmanager
    def session(self, cluster: Cluster) -> Iterator[None]:
        """Notes that a session was started."""
        self.num_sessions += 1
        yield

    def count(
        self, shards: List[Shard], count: Callable[[Shard], Any], cluster: Cluster
    ) -> Iterator[Any]:
        """Counts the shards, the last one first, since Ray knows no order."""
        for shard in reversed(shards):
            self.counted.append(shard)
            yield count(shard)

    def extract(self, shards: List[Shard], order: WorkOrder, cluster: Cluster) -> None:
        """Extracts the shards without a receipt, the last one first."""
        finished = {receipt.id for receipt in read_receipts(order.work)}
        num_threads = torch.get_num_threads()
        try:
            worker = ShardWorker(order)
            for shard in reversed(shards):
                if shard.id in finished or shard.number in self.lost:
                    continue
                if len(self.extracted) == self.stops_after:
                    raise KeyboardInterrupt
                self.extracted.append(shard)
                receipts = worker(table_of([shard], Shard))
                if len(receipts):
                    order.work.write(f"{RECEIPTS}/{shard.id}.parquet", table_bytes(receipts))
        finally:
            torch.set_num_threads(num_threads)


@contextmanager
def serial_workers() -> Iterator[SerialWorkers]:
    """Puts them in the place of Ray, for the time of the block."""
    workers = SerialWorkers()
    with patch.multiple(
        driver,
        ray_session=workers.session,
        count_on_ray=workers.count,
        extract_on_ray=workers.extract,
        # All counting goes through the workers, so that it is noted.
        SMALL_BYTES=0,
    ):
        yield workers
