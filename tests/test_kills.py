"""The trials of `make kills` notice what they look for."""

import random
from pathlib import Path
from typing import List

import pytest

from reliability.kills.distributed_runs import WorkWatch, draw_strikes
from reliability.kills.extraction_results import differences

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


def _write(path: Path, *ids: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    parquet.write_table(pyarrow.table({"id": list(ids)}), path)
    return path


def test_a_part_that_is_not_complete_is_noticed(tmp_path: Path) -> None:
    """A part without its end is a problem, and a complete one in its place is none."""
    watch = WorkWatch(tmp_path / "out.partial", tmp_path / "out")
    part = _write(tmp_path / "out" / "part-000000-0123abcd.parquet", "a", "b")
    watch.look()
    assert not watch.problems
    cut = tmp_path / "cut"
    cut.write_bytes(part.read_bytes()[:-5])
    cut.rename(part)
    watch.look()
    assert len(watch.problems) == 1 and part.name in watch.problems[0]


def test_each_try_of_a_shard_is_counted(tmp_path: Path) -> None:
    """A shard that is begun twice has two scratch folders, and one part."""
    watch = WorkWatch(tmp_path / "out.partial", tmp_path / "out")
    for name in ("first", "second"):
        (tmp_path / "out.partial" / "scratch" / name).mkdir(parents=True)
        watch.look()
    _write(tmp_path / "out" / "part-000000-0123abcd.parquet", "a")
    watch.look()
    assert (watch.num_tries, watch.num_shards) == (2, 1)


@pytest.mark.parametrize(
    "parts", [["ab"], ["ab", "bc"], ["bc", "a"]], ids=["few", "twice", "order"]
)
def test_other_rows_are_noticed(tmp_path: Path, parts: List[str]) -> None:
    """Rows that are missing, twice or in another order differ from those of one process."""
    expected = _write(tmp_path / "out.parquet", *"abc")
    for number, ids in enumerate(["ab", "c"]):
        _write(tmp_path / "right" / f"part-{number}.parquet", *ids)
    for number, ids in enumerate(parts):
        _write(tmp_path / "wrong" / f"part-{number}.parquet", *ids)
    assert not differences(expected, tmp_path / "right")
    assert differences(expected, tmp_path / "wrong")


def test_kills_are_drawn_for_the_time_of_the_shards() -> None:
    """Each kill is due before the names of all shards can have appeared."""
    strikes = draw_strikes(random.Random(0), 3, 20)
    assert sum(strike.file_number for strike in strikes) < 4 * 20
