"""Reading the lines of text files."""

import bz2
import gzip
import io
import lzma
import os
import socket
from pathlib import Path
from typing import Callable, Dict, List

import pytest
from allennlp.common.checks import ConfigurationError
from allennlp.data import Vocabulary
from hypothesis import given
from hypothesis import strategies as st

from allennlp_elmo_plugin.io import text_lines
from allennlp_elmo_plugin.io.text_lines import (
    decode_lines,
    read_lines,
    split_at_carriage_returns,
    without_compression_suffix,
)

# Python's `splitlines` splits at all of these, and iterating over a text file at the first.
NO_LINE_ENDS = "\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"

COMPRESSORS: Dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}

# Lines from a few bytes to several blocks.
LINES = st.lists(
    st.tuples(
        st.text(st.characters(blacklist_characters="\n", blacklist_categories=["Cs"]), max_size=5),
        st.sampled_from([1, 1, 1, 3000, 20000]),
    ).map(lambda drawn: drawn[0] * drawn[1])
)


def _allennlp_lines(content: bytes, folder: Path) -> List[str]:
    """Returns the lines that AllenNLP's vocabulary finds."""
    path = folder / "words.txt"
    path.write_bytes(content)
    vocabulary = Vocabulary(non_padded_namespaces=["words"])
    vocabulary.set_from_file(str(path), is_padded=False, oov_token="none", namespace="words")
    words = vocabulary.get_index_to_token_vocabulary("words")
    return [words[index] for index in range(len(words))]


@given(LINES, st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_lines_are_those_that_were_written(lines: List[str], end: str, has_mark: bool) -> None:
    """Whatever their lengths are; a byte order mark is skipped once."""
    lines = [line.rstrip("\r") for line in lines]
    content = "".join(line + end for line in lines).encode()
    # Without a mark, a first character that looks like one is taken for it.
    mark = b"\xef\xbb\xbf" if has_mark or content.startswith(b"\xef\xbb\xbf") else b""
    assert list(decode_lines(io.BytesIO(mark + content), "text.txt")) == lines


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "no end", "odd end\r", "\n"])
def test_allennlp_finds_the_same_lines(tmp_path: Path, end: str, last: str) -> None:
    """A line ends where AllenNLP's `Vocabulary` ends it, and nowhere else."""
    lines = [f"a{character}b" for character in NO_LINE_ENDS] + ["", "caf\u00e9", " "]
    content = ("".join(line + end for line in lines) + last).encode()
    found = list(decode_lines(io.BytesIO(content), "text.txt"))
    assert found == _allennlp_lines(content, tmp_path)
    assert found[: len(lines)] == lines


@pytest.mark.parametrize("suffix", COMPRESSORS)
def test_a_compressed_file_is_read(tmp_path: Path, suffix: str) -> None:
    """The suffix says how it is compressed."""
    path = tmp_path / f"text.txt{suffix}"
    path.write_bytes(COMPRESSORS[suffix]("\ufeffrain\r\ncaf\u00e9\n".encode()))
    assert list(read_lines(path)) == ["rain", "caf\u00e9"]


@pytest.mark.parametrize("num_lines", [0, 7, 40_000])
@pytest.mark.parametrize(
    "damage, problem",
    [
        (b"caf\xe9\n", "is not (invalid continuation byte)"),
        (b"\xff\xfer\x00\n", "is not (invalid start byte)"),
        (b"\xed\xa0\x80\n", "is not (invalid continuation byte)"),
        (b"caf\xc3", "is not (unexpected end of data)"),
    ],
    ids=["Latin-1", "UTF-16", "surrogate", "cut off"],
)
def test_a_line_that_is_no_text_is_named(
    tmp_path: Path, num_lines: int, damage: bytes, problem: str
) -> None:
    """The error names the file and the line, and the lines before it are read."""
    path = tmp_path / "text.txt"
    path.write_bytes(
        b"the rain\n" * num_lines + damage + b"more\n" * (not damage.endswith(b"\xc3"))
    )
    lines = read_lines(path)
    read = []
    with pytest.raises(ConfigurationError) as raised:
        for line in lines:
            read.append(line)
    assert f"'{path}'" in str(raised.value) and f"line {num_lines + 1} {problem}" in str(
        raised.value
    )
    assert read == ["the rain"] * num_lines


@pytest.mark.parametrize("suffix", list(COMPRESSORS)[1:])
@pytest.mark.parametrize("damage", ["cut off", "flipped", "empty", "not compressed"])
def test_a_damaged_compressed_file_is_named(tmp_path: Path, suffix: str, damage: str) -> None:
    """No damage is taken for the end of the text."""
    text = b"".join(b"%d rain\n" % (number * 7919 % 10007) for number in range(40_000))
    whole = COMPRESSORS[suffix](text)
    middle = len(whole) // 2
    path = tmp_path / f"text.txt{suffix}"
    path.write_bytes(
        {
            "cut off": whole[:middle],
            "flipped": whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :],
            "empty": b"",
            "not compressed": text,
        }[damage]
    )
    with pytest.raises(ConfigurationError, match=r"text\.txt\.") as raised:
        list(read_lines(path))
    assert "Restore the file" in str(raised.value) or "restore it" in str(raised.value)


def test_only_regular_files_are_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for the other end of a pipe, and the error names the path."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(tmp_path)
        server.bind("socket")
        for name, found in {
            "pipe": "a named pipe",
            "socket": "a socket",
            "/dev/zero": "a device",
            "folder": "a folder. Name the file itself",
            "missing": "the words at '.*missing', but there is none",
        }.items():
            with pytest.raises(ConfigurationError, match=f"(?s){name}'.*{found}|{found}"):
                list(read_lines(tmp_path / name, "the words"))


def test_a_file_that_cannot_be_opened_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file without permission is one of them."""

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "text.txt")

    (tmp_path / "text.txt").touch()
    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(ConfigurationError, match="Permission denied.*permissions"):
        text_lines.open_text(str(tmp_path / "text.txt"))


def test_a_line_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small compressed file doesn't fill the memory."""
    monkeypatch.setattr(text_lines, "MAX_LINE_BYTES", 100_000)
    path = tmp_path / "text.gz"
    path.write_bytes(gzip.compress(b"rain\n" + b"x" * 99_000 + b"\n" + b"x" * 10_000_000))
    with pytest.raises(ConfigurationError, match="beyond line 2 .*more than 100,000 bytes"):
        list(read_lines(path))


@given(st.text("a\r\n", max_size=12))
def test_carriage_returns_end_lines_as_in_python(text: str) -> None:
    r"""Only two line ends at the end, `\r` and `\r\n`, may be one."""
    text = text[:-1] if text.endswith("\r\r\n") else text
    expected = [line.rstrip("\n") for line in io.StringIO(text, newline=None)]
    lines = decode_lines(io.BytesIO(text.encode()), "text.txt")
    assert list(split_at_carriage_returns(lines)) == expected


@pytest.mark.parametrize("suffix", COMPRESSORS)
def test_the_suffix_of_a_compression_is_taken_off(suffix: str) -> None:
    """Other suffixes stay."""
    assert without_compression_suffix(f"a.gz/text.txt{suffix}") == "a.gz/text.txt"


def test_another_name_can_stand_in_errors(tmp_path: Path) -> None:
    """The path still decides how the file is decompressed."""
    lines = decode_lines(io.BytesIO(b"caf\xe9"), str(tmp_path / "copy"), "standard input")
    with pytest.raises(ConfigurationError, match="'standard input' to be text in UTF-8"):
        list(lines)
    path = tmp_path / "text.gz"
    path.write_bytes(gzip.compress(b"rain"))
    with open(path, "rb") as file:
        assert list(decode_lines(file, str(path), "standard input")) == ["rain"]
