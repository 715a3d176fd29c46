"""Plain text as sentences and tokens."""

import gzip
import subprocess
import sys
from pathlib import Path

import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.commands.elmo_tokenize import tokenize_files

TEXT = "\ufeffDr. Gray  didn't stop. It rains!\r\n\r\nA new line\r\nand one more.\n"
TOKENS = ["Dr. Gray did n't stop .", "It rains !", "A new line", "and one more ."]


def test_a_line_is_a_sentence(tmp_path: Path) -> None:
    """None goes beyond its line of the text, and there are no empty ones; gzipped texts too."""
    (tmp_path / "a.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(TEXT.encode()))
    files = [str(tmp_path / name) for name in ("a.txt", "b.txt.gz")]
    written = tokenize_files(files, tmp_path / "new" / "corpus")
    assert [path.name for path in written] == ["a.txt", "b.txt"]
    for path in written:
        assert path.read_text(encoding="utf-8").splitlines() == TOKENS


def test_the_command_takes_patterns(tmp_path: Path) -> None:
    """It says how many files it wrote."""
    (tmp_path / ".allennlp_plugins").write_text("allennlp_elmo_plugin\n")
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("Es regnet. Es schneit.\n")
    command = [sys.executable, "-m", "allennlp", "elmo-tokenize", "*.txt", "corpus"]
    done = subprocess.run(
        [*command, "--language", "de"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Wrote 2 files to corpus" in done.stdout
    assert (tmp_path / "corpus" / "b.txt").read_text() == "Es regnet .\nEs schneit .\n"


def test_no_text_is_overwritten(tmp_path: Path) -> None:
    """Neither a text itself, nor one result by another."""
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text("It rains.\n")
    files = [str(tmp_path / name / "a.txt") for name in ("x", "y")]
    for texts, folder in ((files[:1], tmp_path / "x"), (files, tmp_path / "corpus")):
        with pytest.raises(ConfigurationError, match=r"a\.txt"):
            tokenize_files(texts, folder)
    assert (tmp_path / "x" / "a.txt").read_text() == "It rains.\n"
    assert not (tmp_path / "corpus").exists()


def test_an_unknown_language_is_refused(tmp_path: Path) -> None:
    """Before anything is written over."""
    (tmp_path / "a.txt").write_text("It rains.\n")
    with pytest.raises(ConfigurationError, match="zz"):
        tokenize_files([str(tmp_path / "a.txt")], tmp_path / "corpus", "zz")
