"""A distributed extraction on Ray itself, in one session for all tests of this module."""

import io
import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple

import numpy
import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.extraction.distributed import driver, on_ray
from allennlp_elmo_plugin.extraction.distributed.on_ray import (
    CHECKPOINTS,
    RECEIPTS,
    Cluster,
    ray_session,
)
from allennlp_elmo_plugin.extraction.distributed.reports import receipts_from_parquet
from allennlp_elmo_plugin.extraction.distributed.shard import Receipt
from tests.support.elmo_command import CommandFolder
from tests.support.elmo_files import elmo_options, write_elmo_files
from tests.support.kernels import CAPABILITIES
from tests.support.serial_workers import SIZES

ray = pytest.importorskip("ray")
pytestmark = pytest.mark.ray
parquet = pytest.importorskip("pyarrow.parquet")
pyarrow = pytest.importorskip("pyarrow")

LINES = [f"the rain falls {number} \u96e8" for number in range(12)]
OUTPUT = "_out #1;x[y]*%41 \u96e8/v"
CLUSTER = Cluster("local", num_workers=2, cpus_per_worker=1, gpus_per_worker=0.0)
OPTIONS = ("--ray", "--workers", "2", "--shard-megabytes", "0.0001")


@pytest.fixture(scope="module", name="_session", autouse=True)
def _fixture() -> Iterator[None]:
    with ray_session(CLUSTER), pytest.MonkeyPatch.context() as patched:
        patched.setattr(driver, "ray_session", lambda _: nullcontext())
        yield


class State(NamedTuple):
    """
    The output after a run.

    # Parameters

    receipts : `List[Receipt]`
        All receipts.
    parts : `Dict[str, int]`
        The inode of each part by its name. A part that is written again has another.
    """

    receipts: List[Receipt]
    parts: Dict[str, int]


def _state(folder: CommandFolder) -> State:
    output = folder.path / OUTPUT
    receipts = receipts_from_parquet((output / "_shards.parquet").read_bytes())
    return State(receipts, {path.name: path.stat().st_ino for path in output.glob("part-*")})


def _rows(path: Path) -> Dict[str, numpy.ndarray]:
    table = parquet.read_table(io.BytesIO(path.read_bytes())).to_pylist()
    return {row["id"]: numpy.array(row["vectors"], dtype="float32") for row in table}


def _checkpoint_of(folder: CommandFolder, receipt: Receipt) -> Path:
    """Returns the file with which Ray notes that a shard is finished."""
    for path in (folder.path / f"{OUTPUT}.partial" / CHECKPOINTS).iterdir():
        if receipt.id in parquet.read_table(io.BytesIO(path.read_bytes()))["id"].to_pylist():
            return path
    raise AssertionError("There is no checkpoint of the shard.")


def test_a_run_with_a_faulty_shard_is_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs go on by Ray's checkpoints, and the rows are those of one process."""
    write_elmo_files(tmp_path / "elmo", elmo_options(**SIZES))
    (tmp_path / OUTPUT).parent.mkdir()
    (tmp_path / "corpus").mkdir()
    folder = CommandFolder(tmp_path)
    text = "\n".join(LINES) + "\n"
    folder.write("corpus/a.txt", text)
    folder.write("corpus/b.txt", f"{text}\nlast\n")

    with monkeypatch.context() as patched, pytest.raises(SystemExit) as stopped:
        # A small input is counted on Ray, too.
        patched.setattr(driver, "SMALL_BYTES", 0)
        folder.run("corpus", OUTPUT, *OPTIONS)
    assert stopped.value.code == 1
    first = _state(folder)
    of_a = [receipt for receipt in first.receipts if receipt.location.endswith("a.txt")]
    assert len(of_a) == 3 and len(first.receipts) == 5
    assert not any(receipt.worker.endswith(f":{os.getpid()}") for receipt in first.receipts)

    # One shard is no longer known as finished.
    _checkpoint_of(folder, of_a[1]).unlink()
    folder.write("corpus/b.txt", f"{text}mended\nlast\n")
    folder.run("corpus", OUTPUT, *OPTIONS, "--workers", "1")
    second = _state(folder)
    rewritten = {each.path for each in of_a if first.parts[each.path] != second.parts[each.path]}
    assert rewritten == {of_a[1].path}
    assert not (tmp_path / f"{OUTPUT}.partial").exists()

    found: Dict[str, Any] = {}
    for name in sorted(second.parts):
        found.update(_rows(tmp_path / OUTPUT / name))
    expected = {}
    for name in ("a.txt", "b.txt"):
        folder.run(f"corpus/{name}", "alone.parquet")
        rows = _rows(tmp_path / "alone.parquet")
        expected.update({f"{name}:{key}": vectors for key, vectors in rows.items()})
    assert set(found) == set(expected) and len(found) == 26
    for key, vectors in expected.items():
        assert numpy.allclose(found[key], vectors, atol=0 if CAPABILITIES else 1e-4, rtol=0)


def test_a_cluster_that_is_too_small_is_refused() -> None:
    """The error says what was expected, what is there, and what to do."""
    cluster = CLUSTER._replace(num_workers=90, gpus_per_worker=0.5)
    with pytest.raises(ConfigurationError) as error:
        on_ray._require_resources(ray.cluster_resources(), cluster, 92)
    for part in ("Expected 92 processors for 90 workers", "45 GPUs", "Ray has 4 and ", "fewer"):
        assert part in str(error.value)


def test_finished_shards_are_found_in_many_files(tmp_path: Path) -> None:
    """Ids come from all checkpoints; those of a kill go, and the receipts that they stand for."""
    from ray.data.checkpoint import CheckpointConfig

    from allennlp_elmo_plugin.extraction.distributed.checkpoints import ReceiptManager

    checkpoints, receipts = tmp_path / CHECKPOINTS, tmp_path / RECEIPTS
    for folder in (checkpoints, receipts):
        folder.mkdir()
    config = CheckpointConfig("id", str(checkpoints), delete_checkpoint_on_success=False)
    manager = ReceiptManager(config, ray.data.DataContext.get_current())
    assert manager.load_checkpoint(str(receipts)) == (None, 0)
    ids = [f"{number * 7919 % 65537:016x}" for number in range(300)]
    for number, shard in enumerate(ids):
        table = pyarrow.table({"id": [shard]})
        parquet.write_table(table, checkpoints / f"{number}_000000_000000.parquet")
    parquet.write_table(pyarrow.table({"id": ["killed"]}), checkpoints / "new.pending.parquet")
    for name in ("new-000000.parquet", "old-000000.parquet"):
        (receipts / name).write_bytes(b"half")
    reference, num_bytes = manager.load_checkpoint(str(receipts))
    found = ray.get(reference)
    assert found.tolist() == sorted(ids) and num_bytes >= 16 * 300
    assert os.listdir(receipts) == ["old-000000.parquet"]
    assert len(os.listdir(checkpoints)) == 300
