"""The command `allennlp elmo-tokenize`."""

from pathlib import Path

import pytest

from tests.support.run_command import run_command


def test_the_command_takes_patterns_and_a_language(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every file that the pattern finds is tokenized, and the command says how many there were."""
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("Es regnet. Es schneit.\n")
    run_command(tmp_path, monkeypatch, "elmo-tokenize", "*.txt", "corpus", "--language", "de")
    assert "Wrote 2 files to corpus" in capsys.readouterr().out
    assert (tmp_path / "corpus" / "b.txt").read_text() == "Es regnet .\nEs schneit .\n"
