"""The command line and the standard input of `allennlp elmo`."""

import argparse
import io
import shlex
import sys
from pathlib import Path

import numpy
import pytest

from allennlp_elmo_plugin.commands.elmo import ElmoVectors


def _parse(arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    ElmoVectors().add_subparser(parser.add_subparsers())
    return parser.parse_args(shlex.split(f"elmo {arguments} --file-friendly-logging"))


def _run(arguments: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    parsed = _parse(arguments)
    parsed.func(parsed)


@pytest.mark.parametrize("option, layers", [("--mix", "mix"), ("--mix 1", "mix_1")])
def test_a_mix_needs_no_number(option: str, layers: str) -> None:
    """The only mix of a model has no number, and one of several has one."""
    assert _parse(f"input output.npz {option}").layers == layers


def test_standard_input_is_read_again_after_a_run_that_never_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A typo in the name of the model leaves no sentences to the next run."""
    output = tmp_path / "vectors.npz"
    with pytest.raises(SystemExit):
        _run(f"- {output} --model nowhere", "one two\n", monkeypatch)
    command = f"- {output} --model pretrained:small --keys sentences"
    _run(command, "three\n", monkeypatch)
    assert list(numpy.load(output)) == ["three"]
    assert not list(tmp_path.glob("*.partial"))
