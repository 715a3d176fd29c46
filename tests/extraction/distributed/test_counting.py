"""Counting shards, and numbering them."""

import errno
import gzip
import json
from pathlib import Path
from typing import List, Optional

import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.extraction.distributed import counting
from allennlp_elmo_plugin.extraction.distributed.counting import Count, count_shard, number_shards
from allennlp_elmo_plugin.extraction.distributed.cutting import cut_into_shards
from allennlp_elmo_plugin.extraction.distributed.input_files import find_input_files
from allennlp_elmo_plugin.extraction.distributed.open_shard import InputOptions, open_shard
from allennlp_elmo_plugin.extraction.distributed.shard import Failure, Shard
from allennlp_elmo_plugin.extraction.inputs.sentence_file import SentenceFile
from allennlp_elmo_plugin.extraction.sentence import Sentence

pytest.importorskip("fsspec")

OPTIONS = InputOptions()


def shards_of(folder: Path, shard_bytes: int = 1000, **files: bytes) -> List[Shard]:
    """Writes files of tokenized lines and returns their shards."""
    (folder / "corpus").mkdir()
    for name, content in files.items():
        (folder / "corpus" / f"{name}.txt").write_bytes(content)
    return list(cut_into_shards(find_input_files(folder / "corpus"), shard_bytes))


def only_shard(path: Path, content: bytes) -> Shard:
    """Writes a file and returns its only shard."""
    path.write_bytes(content)
    (shard,) = cut_into_shards(find_input_files(path), 1000)
    return shard


def test_sentences_and_tokens_are_counted(tmp_path: Path) -> None:
    """Each sentence is shown as it is read, and nothing is left on the disk."""
    (shard,) = shards_of(tmp_path, a=b"It rains .\nNo\n")
    seen: List[Sentence] = []
    assert count_shard(shard, OPTIONS, seen.append) == Count(shard.id, 2, 4, 3, False)
    assert [sentence.tokens for sentence in seen] == [["It", "rains", "."], ["No"]]


@pytest.mark.parametrize(
    "content, keys, has_ids",
    [
        (b'{"tokens": ["a"], "id": 1}\n', "ids", True),
        (b'{"tokens": ["a"], "id": 1}\n', "numbers", False),
        (b'{"tokens": ["a"]}\n', "ids", False),
        (b"\n\n", "ids", None),
    ],
)
def test_ids_are_noticed(tmp_path: Path, content: bytes, keys: str, has_ids: object) -> None:
    """Without a sentence, nothing is known of them."""
    count = count_shard(only_shard(tmp_path / "a.jsonl", content), InputOptions(keys=keys))
    assert count.has_ids is has_ids and count.error is None


def test_the_middle_of_a_line_has_no_sentence(tmp_path: Path) -> None:
    """A shard in which no line begins is no error."""
    first, middle, _ = shards_of(tmp_path, 4, a=b"It rains .\n")
    assert count_shard(first, OPTIONS).num_sentences == 1
    assert count_shard(middle, OPTIONS) == Count(middle.id, 0, 0, 0)


@pytest.mark.parametrize(
    "content, num_lines, error",
    [
        (b"a\n\nb", 3, r"a\.txt', but these have none \(counted from 0\): 1"),
        (b"a\nb\xff\nc\n", 3, r"a\.txt' to be text in UTF-8, but line 2"),
    ],
)
def test_faults_are_errors_of_the_count(
    tmp_path: Path, content: bytes, num_lines: int, error: str
) -> None:
    """The number of lines stands for that of sentences, so that later ones have other numbers."""
    (shard,) = shards_of(tmp_path, a=content)
    count = count_shard(shard, OPTIONS)
    assert (count.num_sentences, count.num_tokens, count.has_ids) == (num_lines, 0, None)
    with pytest.raises(ConfigurationError, match=error):
        raise ConfigurationError(count.error)


def test_a_fault_in_a_later_part_names_it(tmp_path: Path) -> None:
    """The error says from which byte on lines and sentences are counted."""
    *_, last = shards_of(tmp_path, 6, a=b"aaaa\nbbbb\nc\n\n")
    assert f"a.txt from byte {last.start}', but" in str(count_shard(last, OPTIONS).error)


def test_a_file_that_is_gone_is_an_error_of_the_count(tmp_path: Path) -> None:
    """It has no lines."""
    (shard,) = shards_of(tmp_path, a=b"a\n")
    Path(shard.location).unlink()
    count = count_shard(shard, OPTIONS)
    assert count.num_sentences == 0 and "there is none" in str(count.error)


def test_a_damaged_file_is_an_error_of_the_count(tmp_path: Path) -> None:
    """A compressed file is one shard, so no numbers follow."""
    shard = only_shard(tmp_path / "a.txt.gz", gzip.compress(b"a b\n" * 1000)[:-9])
    assert "cannot be read beyond line" in str(count_shard(shard, OPTIONS).error)


def test_a_full_disk_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no fault of the shard, which another machine can count."""
    (shard,) = shards_of(tmp_path, a=b"a\n")

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(counting, "open_shard", fail)
    with pytest.raises(OSError, match="full"):
        count_shard(shard, OPTIONS)


def test_numbers_go_on_from_shard_to_shard(tmp_path: Path) -> None:
    """Each file is numbered from 0, and its name is in front, as read by one process."""
    shards = shards_of(tmp_path, 6, a=b"aa\nbb\ncc\ndd\nee\nff\n", b=b"x\ny\n")
    counts = [count_shard(shard, OPTIONS) for shard in reversed(shards)]
    numbered, failures = number_shards(shards, counts)
    assert failures == [] and [each.number for each in numbered] == list(range(len(shards)))
    keys = [sentence.key for shard in numbered for sentence in open_shard(shard, OPTIONS, tmp_path)]
    assert keys == [f"a.txt:{number}" for number in range(6)] + ["b.txt:0", "b.txt:1"]
    assert [(each.num_sentences, each.num_tokens) for each in numbered] == [(2, 2)] * 4


def test_a_failure_keeps_the_numbers_of_others(tmp_path: Path) -> None:
    """Its lines are passed over, and the failure has its error."""
    shards = shards_of(tmp_path, 6, a=b"aa\nbb\ncc\n\n\nee\nff\n")
    counts = [count_shard(shard, OPTIONS) for shard in shards]
    numbered, (failure,) = number_shards(shards, counts)
    assert [each.first_number for each in numbered] == [0, 5]
    assert failure == Failure(*shards[1][:3], *shards[1][4:6], counts[1].error)
    assert [sentence.key for sentence in open_shard(numbered[1], OPTIONS, tmp_path)] == ["5", "6"]


def test_other_keys_are_another_shard(tmp_path: Path) -> None:
    """A part whose keys have other numbers or prefixes than before is not the part of this one."""
    shards = shards_of(tmp_path, 6, a=b"aa\nbb\ncc\ndd\n")
    counts = [count_shard(shard, OPTIONS) for shard in shards]
    known, _ = number_shards(shards, counts)
    assert known == number_shards(shards, counts)[0]
    unread = counts[0]._replace(num_sentences=0, error="The network is down.")
    guessed, _ = number_shards(shards, [unread, counts[1]])
    prefixed = [shard._replace(key_prefix="a.txt:") for shard in shards]
    among_others, _ = number_shards(prefixed, counts)
    assert len({each.id for each in (known[1], guessed[0], among_others[1])}) == 3


def count_of(shard: Shard, has_ids: Optional[bool]) -> Count:
    """Returns a count of one sentence, or of none."""
    return Count(shard.id, int(has_ids is not None), 0, 0, has_ids)


@pytest.mark.parametrize("expected, words", [(True, "an id"), (False, "no id")])
def test_the_first_sentence_of_a_file_decides_on_ids(expected: bool, words: str) -> None:
    """A shard that differs is a failure; one without a sentence, or of another file, is none."""
    shards = [
        Shard(str(number), number, location, "v", number, number + 1)
        for number, location in enumerate("aaaab")
    ]
    has_ids = [None, expected, None, not expected, not expected]
    numbered, (failure,) = number_shards(shards, map(count_of, shards, has_ids))
    assert [shard.number for shard in numbered] == [0, 1, 2, 4]
    assert failure.id == "3" and f"'a from byte 3': expected {words}, as" in failure.error


def test_each_shard_needs_a_count() -> None:
    """A lost one would give two sentences the same number."""
    with pytest.raises(ValueError, match="got none for shard 0, 'a' from byte 0"):
        number_shards([Shard("x", 0, "a", "v", 0, 1)], [])


def test_ids_of_a_shard_are_keys(tmp_path: Path) -> None:
    """They are neither numbered nor prefixed."""
    lines = [json.dumps({"tokens": ["x"], "id": f"id{number}"}) for number in range(9)]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(lines))
    shards = [
        shard._replace(key_prefix="a:") for shard in cut_into_shards(find_input_files(path), 90)
    ]
    numbered, _ = number_shards(shards, [count_shard(shard, OPTIONS) for shard in shards])
    found = [each for shard in numbered for each in open_shard(shard, OPTIONS, tmp_path)]
    assert found == list(SentenceFile(path))
