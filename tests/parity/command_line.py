"""AllenNLP's commands, run in this process with AllenNLP's embedder and with the plugin's."""

import io
import json
import logging
import re
import sys
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, Dict, Iterator, Optional
from unittest.mock import patch

import pytest
from allennlp.commands import main
from allennlp.modules import TokenEmbedder

from allennlp_elmo_plugin import ElmoTokenEmbedder
from tests.parity.sides import TOLERANCE
from tests.support.builtin import BuiltInEmbedder, built_in
from tests.support.elmo_files import elmo_options
from tests.support.tagger_experiment import epoch_metrics, tagger

__all__ = ["SIDES", "allennlp", "assert_same_course", "side", "write_config"]

SIDES = {"expected": BuiltInEmbedder, "found": ElmoTokenEmbedder}

LOG_LINE = re.compile(r"^\d+-\d+-\d+ \d+:\d+:\d+,\d+ - .*\n", re.MULTILINE)


@contextmanager
def side(name: str) -> Iterator[None]:
    """Registers the classes of AllenNLP for the side "expected", the plugin's for "found"."""
    if name == "expected":
        with built_in():
            yield
    else:
        yield


@contextmanager
def kept_log_handlers() -> Iterator[None]:
    """Restores the handlers of the log, which a training replaces by ones for its own output."""
    root = logging.getLogger()
    handlers = list(root.handlers)
    try:
        yield
    finally:
        root.handlers[:] = handlers


def allennlp(name: str, *arguments: str) -> str:
    """
    Runs a command of AllenNLP on one side.

    # Parameters

    name : `str`
        Name of the side.
    arguments : `str`
        The command and its arguments.

    # Returns

    `str`
        Output of the command, without its log.
    """
    output = io.StringIO()
    with side(name), redirect_stdout(output), kept_log_handlers():
        assert TokenEmbedder.by_name("elmo_token_embedder") is SIDES[name]
        # The plugin is loaded already, and others are not tested here.
        with patch.object(sys, "argv", ["allennlp", *arguments]), patch(
            "allennlp.commands.import_plugins"
        ):
            main()
    return LOG_LINE.sub("", output.getvalue())


def write_config(
    folder: Path, trainer: Optional[Dict[str, Any]] = None, **embedder: Any
) -> Dict[str, Any]:
    """
    Writes the config of a small tagger and its data.

    # Parameters

    folder : `Path`
        Folder that gets `config.json`.
    trainer : `Dict[str, Any]`, optional (default = `None`)
        Additions to the trainer.
    **embedder
        Additions to the embedder.

    # Returns

    `Dict[str, Any]`
        The config.
    """
    options = {"projection_dim": elmo_options.__kwdefaults__["projection_dim"]}
    config = tagger(folder, options, **embedder)
    config["trainer"].update(trainer or {})
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return config


def assert_same_course(folder: Path, num_epochs: int = 3) -> None:
    """Fails if the metrics of two trainings differ after an epoch."""
    expected, found = (epoch_metrics(folder / name) for name in SIDES)
    assert len(found) == len(expected) == num_epochs
    for ours, theirs in zip(found, expected):
        assert len(theirs) >= 6
        assert ours == pytest.approx(theirs, abs=TOLERANCE)
