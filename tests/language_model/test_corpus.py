"""Reading and shuffling the sentences of a corpus."""

import gzip
import random
import re
from pathlib import Path
from typing import Iterator, List

import pytest
from allennlp.common.checks import ConfigurationError
from hypothesis import given
from hypothesis import strategies as st

from allennlp_elmo_plugin.language_model.corpus import Corpus, shuffle_by_buffer


def test_a_line_is_a_sentence(tmp_path: Path) -> None:
    """Line ends of Windows, a byte order mark and empty lines change nothing."""
    path = tmp_path / "text.txt"
    path.write_bytes("\ufeffcaf\u00e9 .\r\n\r\n \n  the\train \n\u96e8".encode())
    assert list(Corpus([str(path)])) == [["caf\u00e9", "."], ["the", "rain"], ["\u96e8"]]


def test_white_space_of_unicode_separates_tokens(tmp_path: Path) -> None:
    """A line ends with a line feed alone. Other characters that end lines in Unicode are spaces."""
    path = tmp_path / "text.txt"
    path.write_bytes("a\u2028b\x85c\x1cd\u3000e\u200bf\ng\n".encode())
    assert list(Corpus([str(path)])) == [["a", "b", "c", "d", "e\u200bf"], ["g"]]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The error says which file is missing."""
    with pytest.raises(ConfigurationError, match="text file in the file '.*missing.txt'"):
        Corpus([str(tmp_path / "missing.txt")])


def test_gzipped_text_is_read(tmp_path: Path) -> None:
    """The sentences of several gzipped files follow each other."""
    for name in "ab":
        with gzip.open(tmp_path / f"{name}.gz", "wt", encoding="utf-8") as file:
            file.write(f"{name} .\n" * 2)
    files = [str(tmp_path / "a.gz"), str(tmp_path / "b.gz")]
    assert list(Corpus(files)) == [["a", "."]] * 2 + [["b", "."]] * 2


@pytest.mark.parametrize("damage", ["not UTF-8", "not gzip", "cut off"])
def test_a_damaged_file_is_named(tmp_path: Path, damage: str) -> None:
    """The error names the file, and the line at fault or the last one that could be read."""
    path = tmp_path / ("text.txt" if damage == "not UTF-8" else "text.gz")
    lines = b"".join(b"%d rain\n" % number for number in range(40000))
    if damage == "cut off":
        whole = gzip.compress(lines)
        path.write_bytes(whole[: len(whole) // 2])
    else:
        path.write_bytes(lines[: 7 * 10] + b"\xff\n")
    with pytest.raises(ConfigurationError) as raised:
        list(Corpus([str(path)]))
    assert str(path) in str(raised.value)
    place = {
        "not UTF-8": r"line 11 is",
        "not gzip": "beyond line 0 ",
        "cut off": r"beyond line [1-9]",
    }
    assert re.search(place[damage], str(raised.value))


@pytest.mark.parametrize("suffix", [".txt", ".gz"])
def test_the_share_read_grows(tmp_path: Path, suffix: str) -> None:
    """It grows from 0 to 1 and never shrinks, also for gzipped files."""
    files = []
    for name in "abc":
        path = tmp_path / (name + suffix)
        text = "".join(f"{random.random()}\n" for _ in range(3000)).encode()
        path.write_bytes(gzip.compress(text) if suffix == ".gz" else text)
        files.append(str(path))
    corpus = Corpus(files)
    shares = [corpus.share_read, *(corpus.share_read for _ in corpus), corpus.share_read]
    assert shares[0] == 0.0 and shares[-1] == 1.0
    assert shares == sorted(shares) and len(set(shares)) > 3
    assert shares[4500] == pytest.approx(0.5, abs=0.2)


@given(st.integers(min_value=0, max_value=30), st.integers(min_value=0, max_value=8))
def test_shuffling_loses_nothing(number: int, size: int) -> None:
    """Every item comes once, a seed gives one order, and without a buffer the order stays."""
    orders = [list(shuffle_by_buffer(range(number), size, random.Random(seed))) for seed in (1, 1)]
    assert orders[0] == orders[1]
    assert sorted(orders[0]) == list(range(number))
    if size < 2:
        assert orders[0] == list(range(number))


def test_shuffling_is_lazy() -> None:
    """No more items are taken than have been yielded or fit into the buffer."""
    taken: List[int] = []

    def items() -> Iterator[int]:
        for item in range(100):
            taken.append(item)
            yield item

    shuffled = shuffle_by_buffer(items(), 10, random.Random(0))
    yielded = [next(shuffled) for _ in range(50)]
    assert len(taken) == 60
    assert yielded != sorted(yielded)
