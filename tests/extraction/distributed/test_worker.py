"""The work of one process of a distributed extraction on a shard."""

import os
import socket
import time
from functools import partial
from pathlib import Path
from typing import Any, Iterator, List

import numpy
import pytest
import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.extraction.distributed import worker
from allennlp_elmo_plugin.extraction.distributed.counting import count_shard, number_shards
from allennlp_elmo_plugin.extraction.distributed.cutting import cut_into_shards
from allennlp_elmo_plugin.extraction.distributed.input_files import find_input_files
from allennlp_elmo_plugin.extraction.distributed.open_shard import InputOptions
from allennlp_elmo_plugin.extraction.distributed.shard import Receipt, Shard
from allennlp_elmo_plugin.extraction.distributed.store import Store
from allennlp_elmo_plugin.extraction.distributed.tables import rows_of, table_of
from allennlp_elmo_plugin.extraction.distributed.worker import (
    FAILURES,
    ShardWorker,
    WorkOrder,
    part_name,
)
from allennlp_elmo_plugin.extraction.extractor import ElmoExtractor
from allennlp_elmo_plugin.extraction.models import digest_of_weights
from allennlp_elmo_plugin.extraction.plan import LackOfSpaceError
from allennlp_elmo_plugin.extraction.task import ExtractionTask
from tests.support.elmo_files import write_elmo_files

parquet = pytest.importorskip("pyarrow.parquet")
pytest.importorskip("fsspec")

LINES = ["a b c", "rain", "\u96e8 rain a", "a b", "c c c c"]


@pytest.fixture(name="order")
def _order(tmp_path: Path) -> Iterator[WorkOrder]:
    """An order for a small model; the number of threads is put back."""
    write_elmo_files(tmp_path / "elmo")
    options = {"model": str(tmp_path / "elmo"), "initial_state": "zero", "layers": "top"}
    extractor = ElmoExtractor.load(**options)
    parts, work = Store(str(tmp_path / "out")), Store(str(tmp_path / "out.partial"))
    parts.make()
    num_threads = torch.get_num_threads()
    yield WorkOrder(
        extractor=options,
        weights=digest_of_weights(extractor.encoder, extractor.mix),
        make_task=partial(ExtractionTask, dtype="float32"),
        input_options=InputOptions(),
        parts=parts,
        work=work,
        num_threads=1,
    )
    torch.set_num_threads(num_threads)


@pytest.fixture(name="shards")
def _shards(tmp_path: Path) -> List[Shard]:
    """Two shards of one file, counted."""
    (tmp_path / "in.txt").write_text("\n".join(LINES) + "\n", encoding="utf-8")
    shards = list(cut_into_shards(find_input_files(tmp_path / "in.txt"), 20))
    numbered, failures = number_shards(
        shards, [count_shard(shard, InputOptions()) for shard in shards]
    )
    assert len(numbered) == 2 and not failures
    return numbered


class Failing:
    """Makes tasks, but raises an error instead the first times."""

    def __init__(self, num_times: int, error: Exception) -> None:
        self.num_left, self.error, self.num_calls = num_times, error, 0

    def __call__(self, path: Path) -> ExtractionTask:
        """Makes a task, or fails."""
        self.num_calls += 1
        if self.num_calls <= self.num_left:
            raise self.error
        return ExtractionTask(path)


def test_a_receipt_has_the_facts_of_its_shard(order: WorkOrder, shards: List[Shard]) -> None:
    """Counts and times, the host and the process, and the size of the file that is there."""
    began = time.time()
    receipts = rows_of(ShardWorker(order)(table_of(shards, Shard)), Receipt)
    assert [receipt[:5] for receipt in receipts] == [
        (shard.id, shard.number, shard.location, shard.start, shard.end) for shard in shards
    ]
    assert sum(receipt.num_sentences for receipt in receipts) == len(LINES)
    assert sum(receipt.num_tokens for receipt in receipts) == 13
    keys: List[str] = []
    for receipt, shard in zip(receipts, shards):
        assert receipt.path == part_name(shard)
        assert receipt.worker == f"{socket.gethostname()}:{os.getpid()}"
        assert began <= receipt.started <= receipt.started + receipt.seconds <= time.time()
        assert receipt.num_bytes == len(order.parts.read(receipt.path))
        keys += parquet.read_table(order.parts.path(receipt.path))["id"].to_pylist()
    assert keys == ["0", "1", "2", "3", "4"]
    assert os.listdir(order.work.path("scratch")) == []


def test_a_worker_has_its_number_of_threads(order: WorkOrder) -> None:
    """It is that of the order, not that of the machine."""
    ShardWorker(order._replace(num_threads=3))
    assert torch.get_num_threads() == 3


@pytest.mark.parametrize("error", [ConfigurationError("bad text"), ValueError("bad number")])
def test_a_shard_that_fails_twice_is_set_aside(
    order: WorkOrder, shards: List[Shard], error: Exception
) -> None:
    """The shard behind it is run, and a file of the work has the error."""
    failing = Failing(2, error)
    receipts = rows_of(
        ShardWorker(order._replace(make_task=failing))(table_of(shards, Shard)), Receipt
    )
    assert [receipt.number for receipt in receipts] == [1]
    assert order.parts.names() == [part_name(shards[1])]
    assert order.work.names(FAILURES) == [f"{shards[0].id}.json"]
    failure = order.work.read_json(f"{FAILURES}/{shards[0].id}.json")
    expected = shards[0]._asdict()
    assert failure.pop("error").endswith(str(error))
    assert failure == {name: expected[name] for name in failure}
    assert os.listdir(order.work.path("scratch")) == []


def test_only_an_unknown_error_has_a_traceback(order: WorkOrder, shards: List[Shard]) -> None:
    """One that a user can mend is its message alone."""
    errors = []
    for error in (ConfigurationError("bad text"), ValueError("bad number")):
        ShardWorker(order._replace(make_task=Failing(2, error))).extract(shards[0])
        errors.append(order.work.read_json(f"{FAILURES}/{shards[0].id}.json")["error"])
    assert errors[0] == "bad text"
    assert errors[1].startswith("Traceback") and "_write_part" in errors[1]


@pytest.mark.parametrize("error", [ValueError("once"), OSError(5, "once", "x")])
def test_a_shard_that_fails_once_succeeds(
    order: WorkOrder, shards: List[Shard], error: Exception
) -> None:
    """The second try leaves no trace of the first."""
    receipt = ShardWorker(order._replace(make_task=Failing(1, error))).extract(shards[0])
    assert receipt is not None and receipt.number == 0
    assert order.work.names(FAILURES) == []


@pytest.mark.parametrize("error", [OSError(28, "full", "disk"), LackOfSpaceError("full")])
def test_an_error_of_the_disk_is_raised(
    order: WorkOrder, shards: List[Shard], error: Exception
) -> None:
    """It is not the shard's fault, so after two tries nothing is set aside."""
    failing = Failing(9, error)
    with pytest.raises(type(error), match="full"):
        ShardWorker(order._replace(make_task=failing)).extract(shards[0])
    assert failing.num_calls == 2
    assert order.work.names(FAILURES) == [] and order.parts.names() == []
    assert os.listdir(order.work.path("scratch")) == []


def test_a_shard_whose_file_has_changed_is_set_aside(order: WorkOrder, shards: List[Shard]) -> None:
    """The sentences behind the change would have wrong numbers."""
    Path(shards[0].location).write_text("other\n")
    assert ShardWorker(order).extract(shards[0]) is None
    failure = order.work.read_json(f"{FAILURES}/{shards[0].id}.json")
    assert "to stay as it was" in failure["error"]


def test_other_weights_on_the_machine_are_refused(order: WorkOrder, tmp_path: Path) -> None:
    """The error names the model and the machine, and says what to do."""
    write_elmo_files(tmp_path / "elmo", seed=1)
    with pytest.raises(ConfigurationError) as error:
        ShardWorker(order)
    for part in (str(tmp_path / "elmo"), socket.gethostname(), "Copy the same files"):
        assert part in str(error.value)


def test_a_part_is_that_of_the_job_alone(
    order: WorkOrder, shards: List[Shard], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part that is written again, as after a lost node, has the same bytes."""
    runner: Any = ShardWorker(order)
    runner.extract(shards[0])
    first = order.parts.read(part_name(shards[0]))
    monkeypatch.setattr(worker.time, "time", lambda: 0.0)
    runner.extract(shards[1])
    runner.extract(shards[0])
    assert order.parts.read(part_name(shards[0])) == first
    table = parquet.read_table(order.parts.path(part_name(shards[0])))
    assert numpy.isfinite(numpy.concatenate(table["vectors"][0].as_py())).all()
