"""A corpus on disk."""

import gzip
import random
from pathlib import Path
from typing import Iterator, List

import pytest
from allennlp.common.checks import ConfigurationError
from hypothesis import given
from hypothesis import strategies as st

from allennlp_elmo_plugin.io.text_files import find_files
from allennlp_elmo_plugin.language_model.corpus import Corpus, shuffled_by_buffer


@pytest.fixture(name="folder")
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("b.txt", "a.txt", "c.gz", "deep/er/d.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("rain\n")
    return tmp_path


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        ("b.txt", ["b.txt"]),
        (Path("b.txt"), ["b.txt"]),
        ("*.txt", ["a.txt", "b.txt"]),
        ("**/*.txt", ["a.txt", "b.txt", "d.txt"]),
        (["c.gz", "*.txt"], ["c.gz", "a.txt", "b.txt"]),
    ],
    ids=str,
)
def test_patterns_find_files(folder: Path, paths: object, names: List[str]) -> None:
    """Those of each pattern by name, patterns in their order."""
    assert [Path(file).name for file in find_files(paths)] == names  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["e.txt", "*.text", "deep*"])
def test_a_pattern_without_files_is_refused(folder: Path, path: str) -> None:
    """Also beside one that has some; folders are no files."""
    with pytest.raises(ConfigurationError) as raised:
        find_files(["a.txt", path])
    assert path in str(raised.value)


def test_a_line_is_a_sentence(tmp_path: Path) -> None:
    """Whatever its line ends with, with a byte order mark and empty lines."""
    path = tmp_path / "text.txt"
    path.write_bytes("\ufeffcaf\u00e9 .\r\n\r\n \n  the\train \n\u96e8".encode())
    assert list(Corpus([str(path)])) == [["caf\u00e9", "."], ["the", "rain"], ["\u96e8"]]


def test_gzipped_text_is_read(tmp_path: Path) -> None:
    """Several files follow each other."""
    for name in "ab":
        with gzip.open(tmp_path / f"{name}.gz", "wt", encoding="utf-8") as file:
            file.write(f"{name} .\n" * 2)
    files = [str(tmp_path / "a.gz"), str(tmp_path / "b.gz")]
    assert list(Corpus(files)) == [["a", "."]] * 2 + [["b", "."]] * 2


@pytest.mark.parametrize("damage", ["not UTF-8", "not gzip", "cut off"])
def test_a_damaged_file_is_named(tmp_path: Path, damage: str) -> None:
    """With the line up to which it could be read."""
    path = tmp_path / ("text.txt" if damage == "not UTF-8" else "text.gz")
    lines = b"".join(b"%d rain\n" % number for number in range(40000))
    if damage == "cut off":
        whole = gzip.compress(lines)
        path.write_bytes(whole[: len(whole) // 2])
    else:
        path.write_bytes(lines[: 7 * 10] + b"\xff\n")
    with pytest.raises(ConfigurationError) as raised:
        list(Corpus([str(path)]))
    assert str(path) in str(raised.value) and "beyond line" in str(raised.value)
    assert ("line 0" in str(raised.value)) == (damage != "cut off")


@pytest.mark.parametrize("suffix", [".txt", ".gz"])
def test_it_knows_how_far_it_is(tmp_path: Path, suffix: str) -> None:
    """From 0 to 1, never back."""
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
    """Nothing comes twice; a seed gives one order; without a buffer it stays."""
    orders = [list(shuffled_by_buffer(range(number), size, random.Random(seed))) for seed in (1, 1)]
    assert orders[0] == orders[1]
    assert sorted(orders[0]) == list(range(number))
    if size < 2:
        assert orders[0] == list(range(number))


def test_no_more_waits_than_the_buffer_takes() -> None:
    """What is shuffled is read as it is needed."""
    taken: List[int] = []

    def items() -> Iterator[int]:
        for item in range(100):
            taken.append(item)
            yield item

    shuffled = shuffled_by_buffer(items(), 10, random.Random(0))
    given_out = [next(shuffled) for _ in range(50)]
    assert len(taken) == 60
    assert given_out != sorted(given_out)
