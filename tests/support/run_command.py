"""Running a subcommand of `allennlp` in this process."""

import sys
from pathlib import Path

import pytest
from allennlp.commands import main

__all__ = ["run_command"]


def run_command(folder: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    """
    Runs a subcommand in a folder. The plugin is loaded already, and others are left out.

    # Parameters

    folder : `Path`
        Working directory.
    monkeypatch : `pytest.MonkeyPatch`
        Fixture of the test.
    *arguments
        Name of the subcommand, and its arguments.

    # Raises

    `SystemExit`
        With a message if the command fails.
    """
    with monkeypatch.context() as patched:
        patched.chdir(folder)
        patched.setattr(sys, "argv", ["allennlp", *arguments])
        patched.setattr("allennlp.commands.import_plugins", lambda: None)
        main()
