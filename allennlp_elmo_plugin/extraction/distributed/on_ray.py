"""
The two passes of a distributed extraction on Ray Data: counting shards and extracting them.
"""

import logging
import pickle
from contextlib import contextmanager
from functools import partial
from typing import Any, Callable, Dict, Iterator, List, NamedTuple

from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.extraction.distributed.shard import Receipt, Shard
from allennlp_elmo_plugin.extraction.distributed.store import Store
from allennlp_elmo_plugin.extraction.distributed.tables import (
    read_tables,
    rows_of,
    table_bytes,
    table_of,
)
from allennlp_elmo_plugin.extraction.distributed.worker import ShardWorker, WorkOrder

__all__ = [
    "RAY_NAMES",
    "Cluster",
    "count_on_ray",
    "extract_on_ray",
    "ray_session",
    "read_receipts",
]

PLAN = "plan.parquet"
RECEIPTS = "receipts"
CHECKPOINTS = "checkpoints"
RAY_NAMES = (PLAN, RECEIPTS, CHECKPOINTS)
"""Names of what is written to the folder of the work."""

NUM_OTHER_CPUS = 2
"""Processors for the small tasks of Ray Data that feed the workers."""
MAX_LOST = 10
"""Shards that may be lost to errors of disks, stores or Ray before the run is given up."""
UNLIMITED = -1
NUM_COUNTED_TOGETHER = 16
OBJECT_STORE_BYTES = 1 << 29
NUM_TASKS_IN_FLIGHT = 2
"""A worker has the next shard at hand when it finishes one."""
NUM_WRITERS = 2
COUNT = "count"
ID_COLUMN = "id"
"""It has this name in the plan and in the receipts."""
FILTER_BYTES = 1 << 28
ENVIRONMENT = {"PYTHONWARNINGS": "ignore::FutureWarning"}
"""AllenNLP's dependencies warn of torch's plans in every process that is started."""
LOCAL = "local"


class Cluster(NamedTuple):
    """
    The processes that an extraction runs in.

    # Parameters

    address : `str`
        Address of a running Ray cluster, `"auto"` for the one of this machine, or `"local"` for
        processes of this machine alone, which end with the extraction.
    num_workers : `int`
        The number of workers.
    cpus_per_worker : `int`
        The number of threads of each.
    gpus_per_worker : `float`
        The number of GPUs of each, or the share of one.
    """

    address: str
    num_workers: int
    cpus_per_worker: int
    gpus_per_worker: float


@contextmanager
def ray_session(cluster: Cluster) -> Iterator[None]:
    """
    Connects to Ray, or starts it on this machine, for the time of the block.

    # Parameters

    cluster : `Cluster`
        The cluster.

    # Raises

    `ConfigurationError`
        If Ray is not installed or not there, or if it has too few processors or GPUs.
    """
    ray = _import_ray()
    num_cpus = cluster.num_workers * cluster.cpus_per_worker + NUM_OTHER_CPUS
    options = {"logging_level": logging.WARNING, "runtime_env": {"env_vars": ENVIRONMENT}}
    try:
        if cluster.address == LOCAL:
            ray.init(
                address=LOCAL,
                num_cpus=num_cpus,
                include_dashboard=False,
                object_store_memory=OBJECT_STORE_BYTES,
                **options,
            )
        else:
            ray.init(address=cluster.address, **options)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ConfigurationError(
            f"Expected a Ray cluster at '{cluster.address}', but it cannot be reached ({error}). "
            "Start one with 'ray start --head', or leave out the address to use this machine."
        ) from error
    try:
        _require_resources(ray.cluster_resources(), cluster, num_cpus)
        yield
    finally:
        ray.shutdown()


def count_on_ray(
    shards: List[Shard], count: Callable[[Shard], Any], cluster: Cluster
) -> Iterator[Any]:
    """
    Counts what is in shards, in a session of Ray.

    # Parameters

    shards : `List[Shard]`
        The shards.
    count : `Callable[[Shard], Any]`
        Counts one of them. It is sent to other processes.
    cluster : `Cluster`
        The processes. As many as there are workers count.

    # Returns

    `Iterator[Any]`
        The counts in any order.
    """
    ray = _import_ray()
    _quieten(ray)
    table = table_of(shards, Shard)
    rows = ray.data.from_arrow(table).repartition(target_num_rows_per_block=NUM_COUNTED_TOGETHER)
    counted = rows.map_batches(
        partial(_count_all, count),
        batch_size=None,
        batch_format="pyarrow",
        concurrency=cluster.num_workers,
    )
    counted.set_name("count")
    for batch in counted.iter_batches(batch_size=None, batch_format="pyarrow"):
        for pickled in batch.column(COUNT).to_pylist():
            yield pickle.loads(pickled)


def extract_on_ray(shards: List[Shard], order: WorkOrder, cluster: Cluster) -> None:
    """
    Extracts all shards that have no receipt yet, in a session of Ray.

    # Parameters

    shards : `List[Shard]`
        All shards.
    order : `WorkOrder`
        Instructions of the workers.
    cluster : `Cluster`
        The processes.

    # Raises

    `ConfigurationError`
        If a worker cannot be started, or if too many shards are lost to errors.
    """
    ray = _import_ray()
    _quieten(ray)
    work = order.work
    files = work.arrow_file_system()
    work.write(PLAN, table_bytes(table_of(shards, Shard)))
    context = ray.data.DataContext.get_current()
    context.max_errored_blocks = MAX_LOST
    context.checkpoint_config = _checkpoints(work)
    try:
        plan = ray.data.read_parquet(work.path(PLAN), filesystem=files)
        receipts = plan.repartition(target_num_rows_per_block=1).map_batches(
            ShardWorker,
            fn_constructor_args=(order,),
            batch_size=1,
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(
                size=cluster.num_workers, max_tasks_in_flight_per_actor=NUM_TASKS_IN_FLIGHT
            ),
            num_cpus=cluster.cpus_per_worker,
            num_gpus=cluster.gpus_per_worker,
            max_restarts=UNLIMITED,
            # Ray calls a worker of a lost node again and again until it notices, and counts that.
            max_task_retries=UNLIMITED,
        )
        receipts.set_name("extract")
        receipts.write_parquet(
            work.path(RECEIPTS),
            filesystem=files,
            ray_remote_args={"num_cpus": 0},
            concurrency=NUM_WRITERS,
        )
    except ray.exceptions.RayError as error:
        raise ConfigurationError(
            f"Expected workers to write all shards, but the run has ended: {_first_error(error)} "
            "Mend it, and run the same command again. What is finished is kept."
        ) from error
    finally:
        context.checkpoint_config = None


def read_receipts(work: Store) -> List[Receipt]:
    """
    Reads the receipts of all finished shards.

    # Parameters

    work : `Store`
        The folder of the work.

    # Returns

    `List[Receipt]`
        One for each shard, in the order of the shards.
    """
    table = read_tables(work.path(RECEIPTS), work.arrow_file_system())
    if table is None:
        return []
    # A shard that a lost node and another one have both finished has two.
    by_shard = {receipt.id: receipt for receipt in rows_of(table, Receipt)}
    return sorted(by_shard.values(), key=lambda receipt: receipt.number)


def _count_all(count: Callable[[Shard], Any], shards: Any) -> Any:
    import pyarrow

    counts = [pickle.dumps(count(shard)) for shard in rows_of(shards, Shard)]
    return pyarrow.table({COUNT: pyarrow.array(counts, pyarrow.binary())})


def _first_error(error: BaseException) -> str:
    """Returns the worker's own error, from the tracebacks in the text of Ray's."""
    traceback_of_first, _, _ = str(error).partition("\n\nThe above exception")
    return traceback_of_first.strip().splitlines()[-1]


def _checkpoints(work: Store) -> Any:
    from ray.data.checkpoint import CheckpointConfig

    from allennlp_elmo_plugin.extraction.distributed.checkpoints import ReceiptManager

    checkpoints = CheckpointConfig(
        ID_COLUMN,
        work.path(CHECKPOINTS),
        delete_checkpoint_on_success=False,
        override_filesystem=work.arrow_file_system(),
        checkpoint_manager_cls=ReceiptManager,
    )
    # Ray would reserve a gigabyte for the ids.
    checkpoints.checkpoint_actor_memory_bytes = FILTER_BYTES
    return checkpoints


def _quieten(ray: Any) -> None:
    context = ray.data.DataContext.get_current()
    context.print_on_execution_start = False
    # The steps between reading the plan and writing receipts are of no use to a reader.
    context.enable_operator_progress_bars = False
    context.issue_detectors_config.detectors = []


def _require_resources(found: Dict[str, float], cluster: Cluster, num_cpus: int) -> None:
    num_gpus = cluster.num_workers * cluster.gpus_per_worker
    if found.get("CPU", 0) < num_cpus or found.get("GPU", 0) < num_gpus:
        raise ConfigurationError(
            f"Expected {num_cpus} processors for {cluster.num_workers} workers with "
            f"{cluster.cpus_per_worker} each and {NUM_OTHER_CPUS} to feed them, and {num_gpus:g} "
            f"GPUs, but Ray has {found.get('CPU', 0):g} and {found.get('GPU', 0):g}. Take fewer "
            "workers, fewer processors for each, or more machines."
        )


def _import_ray() -> Any:
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ConfigurationError(
            "Expected Ray Data for an extraction in several processes, but it is not installed. "
            "Install it with: pip install 'allennlp-elmo-plugin[distributed]'. It needs Python "
            "3.11 or newer."
        ) from error
    return ray
