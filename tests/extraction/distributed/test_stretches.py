"""Copying the records of a shard."""

import gzip
import json
import os
import tracemalloc
from codecs import BOM_UTF8
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Dict, List, Tuple

import pytest
from allennlp.common.checks import ConfigurationError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from allennlp_elmo_plugin.extraction.distributed import stretches
from allennlp_elmo_plugin.extraction.distributed.cutting import cut_into_shards
from allennlp_elmo_plugin.extraction.distributed.input_files import find_input_files
from allennlp_elmo_plugin.extraction.distributed.open_shard import InputOptions, open_shard
from allennlp_elmo_plugin.extraction.distributed.shard import Shard
from allennlp_elmo_plugin.extraction.distributed.stretches import CONTEXT, copy_stretch
from allennlp_elmo_plugin.extraction.inputs import sentence_file
from allennlp_elmo_plugin.extraction.inputs.sentence_file import SentenceFile
from allennlp_elmo_plugin.extraction.sentence import Sentence
from tests.support.s3_server import s3_bucket

fsspec = pytest.importorskip("fsspec")

PROPERTY = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)

# Ends of lines, and what is nearly one.
ENDS = ("\n", "\n", "\r\n", "\r", "\r\r\n", "\n\r", "\n\n", "\n \t\n", "\n\u3000\n", "\u2028\n")
# Spaces of which the records of a format are told by more and by less than the context.
WIDE = " " * (CONTEXT - 1), " " * (CONTEXT + 1)

PARTS: Dict[str, Tuple[str, ...]] = {
    "lines": ("It rains", " a\u00e9\U0001f600 ", "\ufeff", "", "x" * 300, *WIDE),
    "jsonl": (
        '{"tokens": ["It", "rains"]}',
        '{"sentence": "No \u00e9"}',
        "",
        json.dumps({"tokens": ["x" * 300]}),
        " ",
    ),
    "conllu": (
        "# sent_id = a\n1\tIt\tx\n2\trains",
        "# comment",
        "1\tNo\u00e9\tx",
        "1-2\tx\n1\tx\n2\ty",
        # The end of the first line looks like a blank one.
        f"1\tx\t{WIDE[1]}\n2\ty",
        "",
        *WIDE,
    ),
    "fasta": (">a b", ">c\u00e9", " >d", "ACGT", "ac*", "", "M" * 300, *WIDE),
}
OPENINGS = {"lines": "", "jsonl": "", "conllu": "", "fasta": ">first"}


def texts_of(input_format: str) -> st.SearchStrategy[bytes]:
    """Returns a strategy for files of a format, with marks, blank lines and ends of all kinds."""
    part = st.sampled_from(PARTS[input_format])
    ends = ENDS
    if input_format == "conllu":
        # A lone `\r` is a part of its line, and two sentences need a blank line.
        ends = ("\n\n", "\r\n\r\n", "\n \t\n", "\n\u3000\n", f"\n{WIDE[0]}\n", f"\n{WIDE[1]}\n")
    if input_format == "jsonl":
        ends = ("\n", "\r\n", "\n\n", "\r\r\n", "\n\r\n")
    lines = st.lists(st.tuples(part, st.sampled_from(ends)), max_size=12)
    return st.builds(
        lambda mark, drawn, is_open: (
            mark
            + (
                OPENINGS[input_format]
                + "\n" * bool(OPENINGS[input_format])
                + "".join(part + end for part, end in drawn[: len(drawn) - is_open])
                + (drawn[-1][0] if is_open and drawn else "")
            ).encode()
        ),
        st.sampled_from([b"", BOM_UTF8]),
        lines,
        st.booleans(),
    )


def shards_of(path: Path, shard_bytes: int) -> List[Shard]:
    """Returns the shards of a file."""
    return list(cut_into_shards(find_input_files(path), shard_bytes))


def write(folder: Path, content: bytes, name: str = "a.txt") -> Path:
    """Writes a file and returns its path."""
    path = folder / name
    path.write_bytes(content)
    return path


def read_shards(path: Path, shard_bytes: int, options: InputOptions) -> List[Sentence]:
    """Returns the sentences of all shards of a file, numbered one shard after the other."""
    sentences: List[Sentence] = []
    for shard in shards_of(path, shard_bytes):
        with TemporaryDirectory() as folder:
            numbered = shard._replace(first_number=len(sentences))
            sentences.extend(open_shard(numbered, options, Path(folder)))
    return sentences


def check(content: bytes, num_shards: int, options: InputOptions) -> None:
    """Fails unless the shards of a file have its sentences, and each of its bytes once."""
    input_format = str(options.input_format)
    shard_bytes = max(1, len(content) // num_shards)
    with TemporaryDirectory() as name:
        path = write(Path(name), content)
        whole = SentenceFile(
            path, input_format, options.language, options.keys, options.blank_lines
        )
        expected = list(whole)
        assert read_shards(path, shard_bytes, options) == expected
        copies = [
            copy_stretch(shard, input_format, Path(name)).read_bytes()
            for shard in shards_of(path, shard_bytes)
        ]
        # A mark at the beginning of a part is doubled, for the reader skips one.
        later = [copy[3:] if copy.startswith(BOM_UTF8) else copy for copy in copies[1:]]
        assert b"".join([*copies[:1], *later]) == content


@pytest.mark.parametrize("input_format", list(PARTS))
def test_shards_have_the_sentences_of_the_file(input_format: str) -> None:
    """Keys, tokens, texts and order are those of the whole file, for any text and any cut."""
    options = InputOptions(input_format, keys="numbers", blank_lines="empty")

    @PROPERTY
    @given(texts_of(input_format), st.integers(1, 12))
    def holds(content: bytes, num_shards: int) -> None:
        check(content, num_shards, options)

    holds()


def test_raw_text_is_cut_at_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of a line ends a sentence of raw text."""
    # Loading the rules takes longer than anything else here.
    load = lru_cache(maxsize=None)(sentence_file.load_sentence_rules)
    monkeypatch.setattr(sentence_file, "load_sentence_rules", load)
    options = InputOptions("lines", language="en")

    @settings(PROPERTY, max_examples=20)
    @given(texts_of("lines"), st.integers(1, 12))
    def holds(content: bytes, num_shards: int) -> None:
        check(content, num_shards, options)

    holds()


@PROPERTY
@given(
    st.binary(max_size=60) | st.text("\r\n >\t#1", max_size=60).map(str.encode), st.integers(4, 20)
)
def test_bytes_of_any_file_are_copied_once(content: bytes, shard_bytes: int) -> None:
    """Whatever they are, for each format."""
    with TemporaryDirectory() as name:
        path = write(Path(name), content)
        for input_format in PARTS:
            copies = [
                copy_stretch(shard, input_format, Path(name)).read_bytes()
                for shard in shards_of(path, shard_bytes)
            ]
            later = [copy[3:] if copy.startswith(BOM_UTF8) else copy for copy in copies[1:]]
            assert b"".join([*copies[:1], *later]) == content


def copies_of(path: Path, shard_bytes: int, input_format: str) -> List[bytes]:
    """Returns the copies of a file's shards."""
    return [
        copy_stretch(shard, input_format, path.parent).read_bytes()
        for shard in shards_of(path, shard_bytes)
    ]


@pytest.mark.parametrize(
    "input_format, content, expected",
    [
        ("lines", b"aa\nbb\ncc\n", [b"aa\n", b"bb\n", b"cc\n"]),
        ("lines", b"aa\rb\ncc\r\n", [b"aa\rb\n", b"cc\r\n", b""]),
        ("lines", b"a\r\r\nb\nc\n", [b"a\r\r\nb\n", b"", b"c\n"]),
        ("jsonl", b"a\r\r\nb\nc\n", [b"a\r\r\n", b"b\n", b"c\n"]),
        ("lines", b"abcdefgh\n", [b"abcdefgh\n", b"", b""]),
        ("conllu", b"ab\n\nc\nd\n\n", [b"ab\n\n", b"c\nd\n\n", b""]),
        ("conllu", b"a\n \nb\n\nc", [b"a\n \n", b"b\n\n", b"c"]),
        ("fasta", b">a\nB\n>c\nD\n", [b">a\nB\n", b">c\nD\n", b""]),
        ("fasta", b">a\nB\n  >c\n", [b">a\nB\n", b"  >c\n", b""]),
    ],
)
def test_records_are_cut_where_they_begin(
    tmp_path: Path, input_format: str, content: bytes, expected: List[bytes]
) -> None:
    """A record belongs to the part in which it begins, of three."""
    path = write(tmp_path, content)
    assert copies_of(path, -(-len(content) // 3), input_format) == expected


@pytest.mark.parametrize(
    "name, ending",
    [
        ("a.txt", ".txt"),
        ("a.b.jsonl", ".jsonl"),
        ("a.txt.gz", ".txt.gz"),
        ("a", ""),
        ("a.xz", ".xz"),
    ],
)
def test_a_copy_has_the_endings_of_its_file(tmp_path: Path, name: str, ending: str) -> None:
    """Its name is the id of the shard, with what tells format and compression."""
    (shard,) = shards_of(write(tmp_path, b"x\n", name), 10)
    assert copy_stretch(shard, "lines", tmp_path).name == shard.id + ending


def test_a_compressed_file_is_copied_whole(tmp_path: Path) -> None:
    """Its sentences are those of the file, and blocks bound the memory."""
    content = os.urandom(20 << 20).hex().encode()
    path = write(tmp_path, gzip.compress(content[: 30 << 20], 0), "a.txt.gz")
    (shard,) = shards_of(path, 100)
    tracemalloc.start()
    copy = copy_stretch(shard, "lines", tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert copy.read_bytes() == path.read_bytes() and peak < 25 << 20


def test_long_lines_are_read_in_parts(tmp_path: Path) -> None:
    """A part inside a line reads its own bytes alone, and the first copies the whole line."""
    path = write(tmp_path, b"x" * (20 << 20) + b"\nlast\n")
    shards = shards_of(path, 1 << 20)
    tracemalloc.start()
    sizes = [copy_stretch(shard, "lines", tmp_path).stat().st_size for shard in shards]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sizes == [(20 << 20) + 1, *[0] * (len(shards) - 2), 5] and peak < 5 << 20


def test_a_line_without_end_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for the reader, whose memory would hold it."""
    monkeypatch.setattr(stretches, "MAX_LINE_BYTES", 100_000)
    first, *_ = shards_of(write(tmp_path, b"a\n" * 10_000 + b"x" * 200_000), 150_000)
    with pytest.raises(ConfigurationError, match=r"a\.txt' to be a text .* more than 100,000 byt"):
        copy_stretch(first, "lines", tmp_path)


COLUMNS = b"# global.columns = FORM ID\n"
PLUS = b"It\t1\nrains\t2\n\nNo\t1\n\nYes\t1\n"


@pytest.mark.parametrize("mark", [b"", BOM_UTF8])
@pytest.mark.parametrize("shard_bytes", [1, 10, 40])
def test_columns_of_conllu_plus_are_known_in_every_part(
    tmp_path: Path, mark: bytes, shard_bytes: int
) -> None:
    """The first line of the file names them, and may be repeated."""
    path = write(tmp_path, mark + COLUMNS + PLUS + b"\n" + COLUMNS + PLUS)
    options = InputOptions("conllu")
    found = read_shards(path, shard_bytes, options)
    assert found == list(SentenceFile(path, "conllu")) and found[1].tokens == ["No"]


def test_columns_elsewhere_are_an_error(tmp_path: Path) -> None:
    """Another part would not know them; one part alone does."""
    path = write(tmp_path, b"1\tIt\n\n" + COLUMNS + PLUS)
    with pytest.raises(ConfigurationError, match="name its columns in its first line or nowhere"):
        read_shards(path, 30, InputOptions("conllu"))
    assert len(read_shards(path, 1000, InputOptions("conllu"))) == 4


@pytest.mark.parametrize("content", [b"other text\n", b"aa\nbb\ncc"])
def test_a_changed_file_is_an_error(tmp_path: Path, content: bytes) -> None:
    """Its shards are those of the version that was planned."""
    path = write(tmp_path, b"aa\nbb\ncc\n")
    os.utime(path, ns=(1, 1))
    _, shard, _ = shards_of(path, 3)
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"a\.txt' to stay as it was when the extraction"):
        copy_stretch(shard, "lines", tmp_path)


def test_a_file_that_changes_meanwhile_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The version is compared before and after."""
    path = write(tmp_path, b"aa\nbb\ncc\n")
    shard, *_ = shards_of(path, 3)
    read = stretches._records

    def touch(*arguments: object) -> object:
        yield from read(*arguments)  # type: ignore[arg-type]
        os.utime(path, ns=(1, 1))

    monkeypatch.setattr(stretches, "_records", touch)
    with pytest.raises(ConfigurationError, match="to stay as it was"):
        copy_stretch(shard, "lines", tmp_path)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    """The error names it."""
    path = write(tmp_path, b"aa\nbb\n")
    shard, _ = shards_of(path, 3)
    path.unlink()
    with pytest.raises(ConfigurationError, match=r"Expected a file at '.*a\.txt', but there is no"):
        copy_stretch(shard, "lines", tmp_path)


def test_a_full_disk_is_no_fault_of_the_input(tmp_path: Path) -> None:
    """It is an `OSError` that names the copy."""
    shard, _ = shards_of(write(tmp_path, b"aa\nbb\n"), 3)
    with pytest.raises(OSError, match=r"so a part of '.*a\.txt' could not be copied there"):
        copy_stretch(shard, "lines", tmp_path / "missing")


def test_shards_are_read_from_s3(tmp_path: Path) -> None:
    """With the sentences of the file, and errors that name its URL."""
    content = "".join(f"word {number} \u00e9\r\n" for number in range(300)).encode()
    expected = list(SentenceFile(write(tmp_path, content)))
    with s3_bucket() as bucket:
        store = fsspec.filesystem("s3")
        store.pipe_file(f"{bucket}/a.txt", content)
        store.pipe_file(f"{bucket}/b.txt.gz", gzip.compress(content))
        for name in ("a.txt", "b.txt.gz"):
            found = read_shards(f"{bucket}/{name}", 1000, InputOptions())  # type: ignore[arg-type]
            assert found == expected
        shard = shards_of(f"{bucket}/a.txt", 1000)[1]  # type: ignore[arg-type]
        store.pipe_file(f"{bucket}/a.txt", content.upper())
        with pytest.raises(ConfigurationError, match=r"'s3://.*/a\.txt' to stay as it was"):
            copy_stretch(shard, "lines", tmp_path)
        store.rm(f"{bucket}/a.txt")
        with pytest.raises(ConfigurationError, match=r"a file at 's3://.*/a\.txt', but there is"):
            copy_stretch(shard, "lines", tmp_path)
