"""
The work of one process of a distributed extraction: shards in, files of vectors out.
"""

import logging
import os
import socket
import time
import traceback
from pathlib import Path
from typing import Any, Callable, Dict, NamedTuple, Optional

import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.extraction.distributed.open_shard import InputOptions, open_shard
from allennlp_elmo_plugin.extraction.distributed.shard import Failure, Receipt, Shard
from allennlp_elmo_plugin.extraction.distributed.store import Store
from allennlp_elmo_plugin.extraction.distributed.tables import rows_of, table_of
from allennlp_elmo_plugin.extraction.extractor import ElmoExtractor
from allennlp_elmo_plugin.extraction.job import ExtractionJob
from allennlp_elmo_plugin.extraction.plan import LackOfSpaceError
from allennlp_elmo_plugin.extraction.task import ExtractionTask

__all__ = ["BEGUN", "FAILURES", "ShardWorker", "WorkOrder", "failure_of", "part_name"]

logger = logging.getLogger(__name__)

FAILURES = "failures"
"""Folder of the work with a file for each shard that was set aside."""
BEGUN = "begun"
"""Folder of the work with a file for each shard that this run has begun."""
MAX_DEATHS = 4
"""Workers that may be killed while they are at a shard, before it is set aside."""


class WorkOrder(NamedTuple):
    """
    The instructions that a worker gets once.

    # Parameters

    extractor : `Dict[str, Any]`
        Arguments of `ElmoExtractor.load`.
    weights : `str`
        Digest of the driver's weights.
    make_task : `Callable[[Path], ExtractionTask]`
        Makes the task that writes the file of a shard.
    input_options : `InputOptions`
        Options of the input.
    parts : `Store`
        The folder of the shards' files.
    work : `Store`
        The folder of the work until the output is finished.
    num_threads : `int`
        The number of threads of a worker.
    """

    extractor: Dict[str, Any]
    weights: str
    make_task: Callable[[Path], ExtractionTask]
    input_options: InputOptions
    parts: Store
    work: Store
    num_threads: int


class ShardWorker:
    """
    A process that has loaded the biLM once, and extracts one shard after the other.

    # Parameters

    order : `WorkOrder`
        Its instructions.

    # Raises

    `ConfigurationError`
        If the model cannot be loaded, or is not the one that the driver has.
    """

    def __init__(self, order: WorkOrder) -> None:
        torch.set_num_threads(order.num_threads)
        self._order = order
        self._extractor = ElmoExtractor.load(**order.extractor)
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        digest = self._extractor.digest()
        if digest != order.weights:
            raise ConfigurationError(
                f"Expected the weights of '{order.extractor['model']}' to be those of the driver, "
                f"but '{socket.gethostname()}' has others. Copy the same files to each machine, or "
                "name a folder that all of them share."
            )

    def __call__(self, shards: Any) -> Any:
        """
        Extracts shards.

        # Parameters

        shards : `pyarrow.Table`
            A row for each shard.

        # Returns

        `pyarrow.Table`
            A row for each receipt. A shard that was set aside has none.

        # Raises

        `OSError`
            If the output cannot be written.
        `LackOfSpaceError`
            If it does not fit on the disk.
        """
        receipts = map(self.extract, rows_of(shards, Shard))
        return table_of((receipt for receipt in receipts if receipt is not None), Receipt)

    def extract(self, shard: Shard) -> Optional[Receipt]:
        """
        Extracts a shard. If it fails twice, or workers have died of it, it is set aside.

        # Parameters

        shard : `Shard`
            The shard.

        # Returns

        `Optional[Receipt]`
            The receipt, or `None` if the shard was set aside.

        # Raises

        `OSError`, `LackOfSpaceError`
            As above.
        """
        num_deaths = self._begin(shard)
        if num_deaths >= MAX_DEATHS:
            self._set_aside(shard, ConfigurationError(_died_of(num_deaths)))
            return None
        for is_last in (False, True):
            try:
                receipt = self._write_part(shard)
                # Else every later note would have to find its way among all of them.
                self._order.work.remove(_note(shard))
                return receipt
            except (OSError, LackOfSpaceError):
                # It is the disk's or the network's fault, so the next shard would fail as well.
                if is_last:
                    raise
                logger.warning("A shard is tried again.", exc_info=True)
            except Exception as error:
                logger.debug("A shard has failed.", exc_info=True)
                if is_last:
                    self._set_aside(shard, error)
        return None

    def _begin(self, shard: Shard) -> int:
        """Notes that a shard is begun, and returns how often this run has begun it before."""
        # Ray's own limit also counts its vain calls of a worker whose death it has not noticed.
        num_before: int = self._order.work.read_json(_note(shard)) or 0
        self._order.work.write_json(_note(shard), num_before + 1)
        return num_before

    def _set_aside(self, shard: Shard, error: BaseException) -> None:
        failure = failure_of(shard, error)
        self._order.work.write_json(f"{FAILURES}/{shard.id}.json", failure._asdict())

    def _write_part(self, shard: Shard) -> Receipt:
        started = time.time()
        order = self._order
        # The work is removed in the end, with what a worker leaves that is killed.
        with order.work.scratch() as scratch:
            part = scratch / part_name(shard)
            source = open_shard(shard, order.input_options, scratch)
            job = ExtractionJob(source, self._extractor, order.make_task(part), is_part=True)
            summary = job.run(job.plan())
            num_bytes = part.stat().st_size
            order.parts.publish(part, part.name)
        return Receipt(
            id=shard.id,
            number=shard.number,
            location=shard.location,
            start=shard.start,
            end=shard.end,
            path=part.name,
            num_sentences=summary.num_sentences,
            num_tokens=summary.num_tokens,
            num_bytes=num_bytes,
            worker=self._name,
            started=started,
            seconds=time.time() - started,
        )


def _note(shard: Shard) -> str:
    return f"{BEGUN}/{shard.id}.json"


def part_name(shard: Shard) -> str:
    """
    Returns the name of a shard's file.

    # Parameters

    shard : `Shard`
        The shard.
    """
    return f"part-{shard.number:06d}-{shard.id[:8]}.parquet"


def failure_of(shard: Shard, error: BaseException) -> Failure:
    """
    Describes why a shard was set aside.

    # Parameters

    shard : `Shard`
        The shard.
    error : `BaseException`
        The error of the last try.

    # Returns

    `Failure`
        With the traceback, unless the error is one that a user can mend.
    """
    if isinstance(error, ConfigurationError):
        text = str(error)
    else:
        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return Failure(shard.id, shard.number, shard.location, shard.start, shard.end, text.strip())


def _died_of(num_deaths: int) -> str:
    return (
        f"Expected a worker to finish this shard, but {num_deaths} were killed while they were at "
        "it, for example for want of memory. Ray's log says more. The next run tries it again."
    )
