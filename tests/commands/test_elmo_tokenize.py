"""The command `allennlp elmo-tokenize`."""

import subprocess
import sys
from pathlib import Path


def test_the_command_takes_patterns_and_a_language(tmp_path: Path) -> None:
    """Every file that the pattern finds is tokenized, and the command says how many there were."""
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
