"""A worker counts the deaths of others that were at the same shard."""

from functools import partial
from pathlib import Path
from typing import List

import pytest

from allennlp_elmo_plugin.extraction.distributed.counting import count_shard, number_shards
from allennlp_elmo_plugin.extraction.distributed.cutting import cut_into_shards
from allennlp_elmo_plugin.extraction.distributed.input_files import find_input_files
from allennlp_elmo_plugin.extraction.distributed.open_shard import InputOptions
from allennlp_elmo_plugin.extraction.distributed.shard import Shard
from allennlp_elmo_plugin.extraction.distributed.store import Store
from allennlp_elmo_plugin.extraction.distributed.worker import FAILURES, ShardWorker, WorkOrder
from allennlp_elmo_plugin.extraction.extractor import ElmoExtractor
from allennlp_elmo_plugin.extraction.models import digest_of_weights
from allennlp_elmo_plugin.extraction.task import ExtractionTask
from tests.support.elmo_files import write_elmo_files

pytest.importorskip("pyarrow")


class Killed(BaseException):
    """Ends a worker as a kill does, in the middle of a shard."""


def _kill(path: Path) -> ExtractionTask:
    raise Killed


def _shard(tmp_path: Path) -> Shard:
    (tmp_path / "in.txt").write_text("a b\nrain\n", encoding="utf-8")
    shards = list(cut_into_shards(find_input_files(str(tmp_path / "in.txt")), 100))
    counts = [count_shard(shard, InputOptions()) for shard in shards]
    numbered: List[Shard] = number_shards(shards, counts)[0]
    return numbered[0]


@pytest.fixture(name="order")
def _order(tmp_path: Path) -> WorkOrder:
    """The order of a small model, whose work has begun."""
    write_elmo_files(tmp_path / "elmo")
    options = {"model": str(tmp_path / "elmo"), "initial_state": "zero", "layers": "top"}
    extractor = ElmoExtractor.load(**options)
    parts, work = Store(str(tmp_path / "out")), Store(str(tmp_path / "out.partial"))
    parts.make()
    return WorkOrder(
        options,
        digest_of_weights(extractor.encoder, extractor.mix),
        partial(ExtractionTask, dtype="float32"),
        InputOptions(),
        parts,
        work,
        num_threads=1,
    )


@pytest.mark.parametrize("num_deaths", [0, 3])
def test_a_shard_is_tried_after_deaths(tmp_path: Path, order: WorkOrder, num_deaths: int) -> None:
    """A shard that three workers have died of has a receipt."""
    shard = _shard(tmp_path)
    for _ in range(num_deaths):
        with pytest.raises(Killed):
            ShardWorker(order._replace(make_task=_kill)).extract(shard)
    receipt = ShardWorker(order).extract(shard)
    assert receipt is not None and receipt.num_sentences == 2
    assert not order.work.names(FAILURES)


def test_a_shard_that_kills_its_workers_is_set_aside(tmp_path: Path, order: WorkOrder) -> None:
    """The fifth worker sets the shard aside, says why, and goes on."""
    shard = _shard(tmp_path)
    for _ in range(4):
        with pytest.raises(Killed):
            ShardWorker(order._replace(make_task=_kill)).extract(shard)
    assert ShardWorker(order._replace(make_task=_kill)).extract(shard) is None
    failure = order.work.read_json(f"{FAILURES}/{shard.id}.json")
    assert failure["number"] == shard.number and "4 were killed" in failure["error"]
