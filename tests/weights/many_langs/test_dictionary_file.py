"""Reading `char.dic` and `word.dic`."""

from pathlib import Path
from typing import Dict

import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.weights.many_langs.dictionary_file import read_dictionary_file


def _read(folder: Path, content: str) -> Dict[str, int]:
    path = folder / "word.dic"
    path.write_bytes(content.encode("utf-8"))
    return read_dictionary_file(path)


def test_lines_are_entries_and_ids(tmp_path: Path) -> None:
    """Spaces within an entry stay, those around a line do not."""
    content = "<oov>\t0\r\nNew York\t1\n  caf\u00e9\t2 \n\u96e8\u2028\u96e8\t3"
    expected = {"<oov>": 0, "New York": 1, "caf\u00e9": 2, "\u96e8\u2028\u96e8": 3}
    assert _read(tmp_path, content) == expected


@pytest.mark.parametrize("space", ["\u3000", " ", "\xa0", ""], ids=repr)
def test_whitespace_is_one_entry(tmp_path: Path, space: str) -> None:
    """A line whose entry is whitespace is the entry of the ideographic space."""
    assert _read(tmp_path, f"a\t0\n{space}\t1\n") == {"a": 0, "\u3000": 1}


def test_the_last_id_of_an_entry_counts(tmp_path: Path) -> None:
    """An entry that comes again has its last id."""
    assert _read(tmp_path, "a\t0\nb\t1\na\t2\n") == {"a": 2, "b": 1}


@pytest.mark.parametrize(
    "line", ["b", "b\tc", "b\tc\t1", "", "b\t-1", "b\t1.0", "b\t99999999"], ids=repr
)
def test_a_line_of_another_form_is_named(tmp_path: Path, line: str) -> None:
    """The error names the file and the number of the line."""
    with pytest.raises(ConfigurationError, match=r"word\.dic', but line 2 is"):
        _read(tmp_path, f"a\t0\n{line}\nc\t2\n")


def test_two_entries_of_one_id_are_named(tmp_path: Path) -> None:
    """A row of the table belongs to one entry."""
    with pytest.raises(ConfigurationError, match="both 'a' and 'b' have the id 0"):
        _read(tmp_path, "a\t0\nb\t0\n")
