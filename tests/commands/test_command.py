"""The end of a command that fails."""

import argparse
import errno
import logging
import re
import sys
from pathlib import Path
from typing import Type
from unittest.mock import patch

import pytest
from allennlp.commands import main
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.commands import ElmoExport, ElmoTokenize, ElmoVectors
from allennlp_elmo_plugin.commands.command import ElmoCommand


@pytest.mark.parametrize("command", [ElmoExport, ElmoTokenize, ElmoVectors])
def test_the_help_gives_each_default_once(
    command: Type[ElmoCommand], capsys: pytest.CaptureFixture[str]
) -> None:
    """AllenNLP's parser adds some itself."""
    argv = patch.object(sys, "argv", ["allennlp", command().name, "--help"])
    with argv, patch("allennlp.commands.import_plugins"), pytest.raises(SystemExit):
        main()
    options = re.split(r"\n  (?=-)", capsys.readouterr().out)
    assert len(options) > 3
    assert [option for option in options if option.count("(default") > 1] == []


def _fail(command: ElmoCommand, error: BaseException) -> None:
    """Runs a command that raises an error."""
    with patch.object(type(command), "run", side_effect=error):
        parser = argparse.ArgumentParser()
        command.add_subparser(parser.add_subparsers())
        arguments = parser.parse_args([command.name, "input", "output"])
        arguments.func(arguments)


@pytest.mark.parametrize(
    "error, message",
    [
        (ConfigurationError("Expected A, got B."), "Expected A, got B."),
        (PermissionError(errno.EACCES, "No", "x"), "[Errno 13] No: 'x'"),
    ],
)
def test_an_error_for_users_ends_in_its_message(
    error: Exception, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The traceback is in the log at the level DEBUG."""
    caplog.set_level(logging.DEBUG)
    with pytest.raises(SystemExit) as ended:
        _fail(ElmoExport(), error)
    assert ended.value.code == f"allennlp elmo-export: error: {message}"
    assert "Traceback" in caplog.text


@pytest.mark.parametrize("error", [ValueError("a"), OSError("no file"), RuntimeError("c")])
def test_any_other_error_keeps_its_traceback(error: Exception) -> None:
    """It is an error of the program."""
    with pytest.raises(type(error)) as raised:
        _fail(ElmoExport(), error)
    assert raised.value is error


def test_ctrl_c_ends_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The status is that of a program that Ctrl-C has ended. Work that is kept has a hint."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "output.partial").mkdir()
    (tmp_path / "output.partial" / "settings.json").touch()
    hint = " Run the same command with --resume to go on."
    for command, advice in ((ElmoExport(), ""), (ElmoVectors(), hint)):
        with pytest.raises(SystemExit) as ended:
            _fail(command, KeyboardInterrupt())
        assert ended.value.code == 130
        assert capsys.readouterr().err == f"Interrupted.{advice}\n"


@pytest.mark.parametrize("command", [ElmoExport(), ElmoTokenize(), ElmoVectors()])
def test_a_misspelt_file_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: ElmoCommand
) -> None:
    """Every command says so."""
    monkeypatch.chdir(tmp_path)
    parser = argparse.ArgumentParser()
    command.add_subparser(parser.add_subparsers())
    arguments = parser.parse_args([command.name, "missing.txt", "out.npz"])
    arguments.model = "pretrained:small"
    with pytest.raises(SystemExit, match=f"^allennlp {command.name}: error: .*'missing.txt', "):
        arguments.func(arguments)
