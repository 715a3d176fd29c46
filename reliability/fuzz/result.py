"""
The result of a case.
"""

import traceback
from enum import Enum
from pathlib import Path
from typing import NamedTuple, Type

import allennlp_elmo_plugin
from reliability.fuzz.kind import UnclearError, WrongResult

__all__ = ["CaseResult", "Outcome", "describe_error", "is_in_plugin", "name_of", "place_of"]

PACKAGE = Path(allennlp_elmo_plugin.__file__).parent


class Outcome(Enum):
    """The three ends of a case."""

    CORRECT = "correct result"
    CLEAR_ERROR = "clear error"
    FAILURE = "failure"


class CaseResult(NamedTuple):
    """
    Result of one case.

    # Parameters

    number : `int`
        Number of the case, from 0.
    outcome : `Outcome`
        End of the case.
    seconds : `float`
        Time that it took.
    memory : `int`
        Peak of the memory above the worker's start, in bytes.
    failure : `str`
        Type of the failure, such as `"KeyError"`, `"hang"` or `"SIGSEGV"`; empty without one.
    place : `str`
        Innermost line of the plugin in the traceback.
    message : `str`
        First line of the error.
    """

    number: int
    outcome: Outcome
    seconds: float
    memory: int
    failure: str = ""
    place: str = ""
    message: str = ""


def place_of(error: BaseException) -> str:
    """
    Returns the place of an error: its innermost line in the plugin, or else its innermost line.

    A wrong result has none, so its description up to the colon is returned.

    # Parameters

    error : `BaseException`
        Error that was raised.

    # Returns

    `str`
        Path, line and function, such as `weights/hdf5.py:94 read_array`.
    """
    if isinstance(error, WrongResult):
        return str(error).partition(":")[0]
    # The error behind an unclear one tells where it comes from.
    source = error.__cause__ if isinstance(error, UnclearError) and error.__cause__ else error
    frames = traceback.extract_tb(source.__traceback__)
    for frame in reversed(frames):
        path = Path(frame.filename)
        if PACKAGE in path.parents:
            return f"{path.relative_to(PACKAGE)}:{frame.lineno} {frame.name}"
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno} {frames[-1].name}"


def name_of(kind: Type[BaseException]) -> str:
    """Returns the name of a type of errors, with its module if the name alone says too little."""
    return f"{kind.__module__}.{kind.__name__}" if kind.__name__ == "error" else kind.__name__


def is_in_plugin(error: BaseException) -> bool:
    """Returns `True` for an error that was raised by the plugin or beneath a call of its own."""
    frames = traceback.extract_tb(error.__traceback__)
    return any(PACKAGE in Path(frame.filename).parents for frame in frames)


def describe_error(error: BaseException) -> str:
    """Returns the first line of an error's message, shortened."""
    lines = str(error).splitlines() or [""]
    return lines[0][:200]
