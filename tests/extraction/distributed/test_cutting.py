"""Cutting input files into shards."""

import tracemalloc
from collections import Counter
from itertools import islice
from time import process_time
from typing import List

import pytest
from allennlp.common.checks import ConfigurationError
from hypothesis import given
from hypothesis import strategies as st

from allennlp_elmo_plugin.extraction.distributed.cutting import cut_into_shards
from allennlp_elmo_plugin.extraction.distributed.input_files import InputFile
from allennlp_elmo_plugin.extraction.distributed.shard import Shard


def file_of(size: int, name: str = "a.txt", version: str = "v") -> InputFile:
    """Returns an input file of some size, which exists nowhere."""
    return InputFile(f"/corpus/{name}", name, size, version)


@given(st.lists(st.integers(0, 2000), max_size=5), st.integers(1, 700))
def test_each_byte_is_in_one_shard(sizes: List[int], shard_bytes: int) -> None:
    """Shards are in order, meet, are no longer than asked for, and nearly equal in a file."""
    files = [file_of(size, f"{number}.txt") for number, size in enumerate(sizes)]
    shards = list(cut_into_shards(files, shard_bytes))
    assert [shard.number for shard in shards] == list(range(len(shards)))
    for file in files:
        parts = [shard for shard in shards if shard.location == file.location]
        lengths = [part.end - part.start for part in parts]
        bounds = [0, *(part.end for part in parts)]
        assert [part.start for part in parts] == bounds[:-1] and bounds[-1] == file.size
        assert all(0 < length <= shard_bytes for length in lengths)
        assert max(lengths, default=0) - min(lengths, default=0) <= 1
        assert len(parts) == (file.size + shard_bytes - 1) // shard_bytes
    assert [file.location for file in files if file.size] == list(
        dict.fromkeys(shard.location for shard in shards)
    )


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz"])
def test_a_compressed_file_is_one_shard(ending: str) -> None:
    """Only its beginning can be read alone."""
    (shard,) = cut_into_shards([file_of(1000, f"a.txt{ending}")], 10)
    assert (shard.start, shard.end) == (0, 1000)
    assert list(cut_into_shards([file_of(0, f"a.txt{ending}")], 10)) == []


def test_numbers_of_several_files_have_their_names() -> None:
    """The number of a sentence in the only file is its key as it is."""
    (alone,) = cut_into_shards([file_of(5, "deep/a.txt")], 10)
    pair = list(cut_into_shards([file_of(5, "deep/a.txt"), file_of(0, "b.txt")], 10))
    assert alone.key_prefix == "" and [shard.key_prefix for shard in pair] == ["deep/a.txt:"]


def test_an_id_tells_file_version_and_part() -> None:
    """It is the same in another run, and stands for nothing else."""
    files = [file_of(50), file_of(50, "b.txt"), file_of(50, version="w")]
    shards = list(cut_into_shards(files, 10)) + list(cut_into_shards(files[:1], 25))
    ids = [shard.id for shard in shards]
    assert ids[:5] == [shard.id for shard in cut_into_shards(files[:1], 10)]
    assert max(Counter(ids).values()) == 1
    assert all(len(each) == 16 and int(each, 16) >= 0 for each in ids)


@pytest.mark.parametrize("shard_bytes", [0, -1])
def test_shards_have_bytes(shard_bytes: int) -> None:
    """Another size is an error."""
    with pytest.raises(ConfigurationError, match=f"one or more bytes, got {shard_bytes}"):
        list(cut_into_shards([file_of(5)], shard_bytes))


def test_many_shards_are_cut_one_by_one() -> None:
    """The first of a hundred thousand costs no memory for the others, and all take seconds."""
    started = process_time()
    shards = list(cut_into_shards([file_of(100_000 << 20)]))
    assert len(shards) == 100_000 and process_time() - started < 10
    tracemalloc.start()
    first: List[Shard] = list(islice(cut_into_shards([file_of(100_000 << 20)]), 3))
    assert first == shards[:3] and tracemalloc.get_traced_memory()[1] < 100_000
    tracemalloc.stop()
