"""
Memory and time of `allennlp elmo --ray` with many sentences and with many shards.
"""

import os
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Dict, Iterator, List, NamedTuple
from unittest.mock import patch

from allennlp_elmo_plugin.extraction.distributed import on_ray
from allennlp_elmo_plugin.extraction.distributed.counting import Count, number_shards
from allennlp_elmo_plugin.extraction.distributed.cutting import SHARD_BYTES, cut_into_shards
from allennlp_elmo_plugin.extraction.distributed.input_files import InputFile
from allennlp_elmo_plugin.extraction.distributed.on_ray import LOCAL, Cluster
from allennlp_elmo_plugin.extraction.distributed.open_shard import InputOptions
from allennlp_elmo_plugin.extraction.distributed.shard import Receipt, Shard
from allennlp_elmo_plugin.extraction.distributed.store import Store
from allennlp_elmo_plugin.extraction.distributed.tables import rows_of, table_bytes, table_of
from allennlp_elmo_plugin.extraction.distributed.worker import WorkOrder
from allennlp_elmo_plugin.extraction.task import ExtractionTask
from benchmarks.report import Section, Table, mebibytes
from benchmarks.scaling import extract
from benchmarks.settings import Settings

__all__ = ["measure_scaling_limits"]

NUM_SENTENCES, LONGEST = 2_000_000, 8
NUM_FILES, SHARDS_OF_FILE = 100, 1000
NUM_LEFT = 20
LAYERS: Dict[str, Any] = {"layers": "top", "pool": "mean", "precision": "int8"}
PROCESSES = Cluster(LOCAL, 2, 1, 0.0)
WORKER_TITLE = b"ray::MapWorker(MapBatches("
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Sample(NamedTuple):
    """
    Memory at some moment, in bytes.

    # Parameters

    driver : `int`
        Resident memory of this process.
    worker : `int`
        Resident memory of the largest worker, 0 if there is none.
    """

    driver: int
    worker: int


class MemoryWatch:
    """
    A thread that samples the memory of this process and of its workers every half second.
    """

    def __init__(self) -> None:
        self.samples: List[Sample] = []
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "MemoryWatch":
        self._thread.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self._ends.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ends.wait(0.5):
            workers = map(_resident_bytes, _worker_pids())
            self.samples.append(Sample(_resident_bytes(os.getpid()), max(workers, default=0)))


class IdleWorker:
    """
    A worker that returns receipts without any work.

    # Parameters

    order : `WorkOrder`
        Instructions, which it does not need.
    """

    def __init__(self, order: WorkOrder) -> None:
        pass

    def __call__(self, shards: Any) -> Any:
        """
        Returns receipts.

        # Parameters

        shards : `pyarrow.Table`
            A row for each shard.

        # Returns

        `pyarrow.Table`
            A row for each receipt.
        """
        return table_of(map(_receipt, rows_of(shards, Shard)), Receipt)


def measure_scaling_limits(settings: Settings) -> Section:
    """
    Measures memory over 2,000,000 sentences, and the driver with 100,000 shards.

    Two workers of one thread extract sentences of 1 to 8 tokens with the smallest shape in int8,
    pooled. Then the driver plans 100,000 shards and goes on with a run that has receipts of all but
    20 of them, which two workers without any work complete.

    # Parameters

    settings : `Settings`
        Models, sentences and workload of the run.

    # Returns

    `Section`
        Memory in bytes and times in seconds.
    """
    with TemporaryDirectory() as name:
        memory = _measure_memory(settings.models[settings.smallest], Path(name))
        planning = _measure_planning(Store(str(Path(name, "work"))))
    return Section(
        {"scaling_memory": [memory], "scaling_planning": [planning]},
        [_memory_table(memory), _planning_table(planning)],
    )


def _measure_memory(model: Path, folder: Path) -> Dict[str, Any]:
    text = folder / "text.txt"
    with open(text, "w", encoding="utf-8") as file:
        for number in range(NUM_SENTENCES):
            # Words come again, and new ones come all the time.
            words = (f"w{number * step % 99_991}" for step in range(1, 2 + number % LONGEST))
            file.write(" ".join(words) + "\n")
    with MemoryWatch() as watch:
        receipts = extract({"model": str(model), **LAYERS}, text, SHARD_BYTES, PROCESSES)
    running = [sample for sample in watch.samples if sample.worker]
    quarters = [running[len(running) * quarter // 4 - 1] for quarter in (1, 2, 3, 4)]
    return {
        "sentences": sum(receipt.num_sentences for receipt in receipts),
        "tokens": sum(receipt.num_tokens for receipt in receipts),
        "shards": len(receipts),
        "driver_bytes": [sample.driver for sample in quarters],
        "worker_bytes": [sample.worker for sample in quarters],
        "driver_peak_bytes": max(sample.driver for sample in running),
        "worker_peak_bytes": max(sample.worker for sample in running),
    }


def _measure_planning(work: Store) -> Dict[str, Any]:
    before = _resident_bytes(os.getpid())
    started = time.monotonic()
    file_bytes = SHARDS_OF_FILE * SHARD_BYTES
    files = [
        InputFile(f"/corpus/{number}.txt", f"{number}.txt", file_bytes, "version")
        for number in range(NUM_FILES)
    ]
    cut = list(cut_into_shards(files, SHARD_BYTES))
    shards, _ = number_shards(cut, [Count(shard.id, 10_000, 200_000, 99) for shard in cut])
    planned = time.monotonic() - started
    receipts, checkpoints = (
        Path(work.path(name)) for name in (on_ray.RECEIPTS, on_ray.CHECKPOINTS)
    )
    for folder in (receipts, checkpoints):
        folder.mkdir(parents=True)
    for shard in shards[NUM_LEFT:]:
        # As Ray Data writes them.
        receipt = table_of([_receipt(shard)], Receipt)
        (receipts / f"{shard.id}-0.parquet").write_bytes(table_bytes(receipt))
        ids = receipt.select([on_ray.ID_COLUMN])
        (checkpoints / f"{shard.id}.parquet").write_bytes(table_bytes(ids))
    order = WorkOrder({}, "", ExtractionTask, InputOptions(), work, work, 1)
    idle = patch.object(on_ray, "ShardWorker", IdleWorker)
    with idle, MemoryWatch() as watch, on_ray.ray_session(PROCESSES):
        started = time.monotonic()
        on_ray.extract_on_ray(shards, order, PROCESSES)
        resumed = time.monotonic() - started
        started = time.monotonic()
        found = on_ray.read_receipts(work)
        read = time.monotonic() - started
    return {
        "shards": len(found),
        "plan_seconds": planned,
        "resume_seconds": resumed,
        "receipts_seconds": read,
        "driver_bytes_before": before,
        "driver_peak_bytes": max(sample.driver for sample in watch.samples),
    }


def _receipt(shard: Shard) -> Receipt:
    place = (shard.id, shard.number, shard.location, shard.start, shard.end)
    return Receipt(*place, "part", 0, 0, 0, f"host:{os.getpid()}", time.time(), 0.0)


def _worker_pids() -> Iterator[int]:
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            try:
                title = Path("/proc", entry, "cmdline").read_bytes()
            except OSError:
                continue
            if title.startswith(WORKER_TITLE):
                yield int(entry)


def _resident_bytes(pid: int) -> int:
    try:
        return int(Path("/proc", str(pid), "statm").read_text().split()[1]) * PAGE_BYTES
    except OSError:
        # It has ended.
        return 0


def _memory_table(memory: Dict[str, Any]) -> Table:
    return Table(
        f"{memory['sentences']:,} sentences with {memory['tokens']:,} tokens in "
        f"{memory['shards']} shards: resident memory\nin MiB after each quarter of the time, and "
        "the largest",
        ("process", "1/4", "1/2", "3/4", "end", "peak"),
        [
            (
                process,
                *map(mebibytes, memory[f"{process}_bytes"]),
                mebibytes(memory[f"{process}_peak_bytes"]),
            )
            for process in ("driver", "worker")
        ],
    )


def _planning_table(planning: Dict[str, Any]) -> Table:
    return Table(
        f"{planning['shards']:,} shards, of which {NUM_LEFT} are left: seconds of the driver, and "
        "its memory in MiB",
        ("plan", "resume", "read receipts", "before", "peak"),
        [
            (
                *(f"{planning[f'{name}_seconds']:.1f}" for name in ("plan", "resume", "receipts")),
                mebibytes(planning["driver_bytes_before"]),
                mebibytes(planning["driver_peak_bytes"]),
            )
        ],
    )
