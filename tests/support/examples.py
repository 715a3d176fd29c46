"""Running the examples of the documentation as a reader would, in the working directory."""

import argparse
import ast
import io
import re
import shlex
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Dict, Tuple
from unittest.mock import patch

from allennlp.commands.subcommand import Subcommand

from allennlp_elmo_plugin import ElmoVectors

__all__ = ["elmo_parser", "run_console", "run_python"]

COMMAND = re.compile(r"^\$ ((?:.*\\\n)*.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
ALLENNLP = re.compile(
    r"(.*)\ballennlp (elmo(?:-(?:change|convert|look|models|score|substitutes))?)(?: +(.*))?$",
    re.DOTALL,
)
"""A command that is run: the pipe in front of it, its name and its arguments."""
VARYING = re.compile(r"\S+ are free|in \S+ s, \S+ tokens a second")
"""Parts of a command's output that differ from run to run."""


def run_python(code: str, names: Dict[str, Any]) -> None:
    """Runs Python with the names so far. `expression  # literal` states what the expression is."""
    lines = code.splitlines()
    for statement in ast.parse(code).body:
        line = lines[(statement.end_lineno or 1) - 1]
        stated, is_stated = _literal(line.partition("  # ")[2])
        if isinstance(statement, ast.Expr) and is_stated:
            found = eval(compile(ast.Expression(statement.value), "example", "eval"), names)
            assert found == stated, f"{line}, but it is {found!r}"
        else:
            exec(compile(ast.Module([statement], []), "example", "exec"), names)


def run_console(code: str) -> None:
    """
    Runs the commands of a console and compares what they print, if the console shows that.

    These are `allennlp elmo`, `elmo-change`, `elmo-convert`, `elmo-look`, `elmo-models`,
    `elmo-score` and `elmo-substitutes`; others are left out.
    `$ cat FILE` shows a file that the reader has: it is made.
    """
    for command, output in COMMAND.findall(code):
        command = command.replace("\\\n", " ")
        if command.startswith("cat "):
            Path(command[4:]).write_text(output, encoding="utf-8")
            continue
        match = ALLENNLP.match(command)
        if match:
            printed = _run_allennlp(*match.groups(default=""))
            is_as_shown = VARYING.sub("", printed) == VARYING.sub("", output)
            assert is_as_shown or not output, f"{command} prints:\n{printed}"


def elmo_parser() -> Tuple[argparse.ArgumentParser, argparse.ArgumentParser]:
    """Returns a parser that knows the subcommand `elmo`, and the parser of this alone."""
    parser = argparse.ArgumentParser()
    return parser, ElmoVectors().add_subparser(parser.add_subparsers())


def _run_allennlp(source: str, name: str, arguments: str) -> str:
    """Runs a command on what a pipe in front of it gives, and returns what it prints."""
    text = b""
    if source:
        text = subprocess.run(["sh", "-c", source.rstrip("| ")], stdout=-1, check=True).stdout
    parser = argparse.ArgumentParser()
    Subcommand.by_name(name)().add_subparser(parser.add_subparsers())
    parsed = parser.parse_args([name, *shlex.split(arguments, comments=True)])
    parsed.file_friendly_logging = True
    printed = io.StringIO()
    with redirect_stdout(printed), patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(text))):
        parsed.func(parsed)
    return printed.getvalue()


def _literal(text: str) -> Tuple[Any, bool]:
    try:
        return ast.literal_eval(text), True
    except (SyntaxError, ValueError):
        return None, False
