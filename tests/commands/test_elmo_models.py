"""The command `allennlp elmo-models`."""

import sys
from typing import Any

import pytest
from allennlp.commands import main


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["allennlp", "elmo-models", *arguments])
    monkeypatch.setattr("allennlp.commands.import_plugins", lambda: None)
    main()


def test_the_command_lists_all(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """Without a name it prints the table."""
    _run(monkeypatch)
    assert "\noriginal " in capsys.readouterr().out


def test_the_command_searches(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """With a text it prints those lines alone."""
    _run(monkeypatch, "--search", "basque")
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:3]] == [
        "eu",
        "many-langs-eu",
    ]


def test_the_command_describes_one(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """With a name it prints the facts."""
    _run(monkeypatch, "medium")
    assert capsys.readouterr().out.startswith("published:medium: ")


def test_a_misspelt_name_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets a suggestion."""
    with pytest.raises(SystemExit, match="Did you mean 'published:medium'"):
        _run(monkeypatch, "mediun")
