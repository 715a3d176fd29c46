"""
The base class of the kinds of cases, and the ends of a case.
"""

from abc import ABC, abstractmethod
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Iterator, Tuple, Type

from allennlp.common.checks import ConfigurationError

__all__ = ["ClearError", "Kind", "UnclearError", "WrongResult", "clear_errors", "require"]


class ClearError(Exception):
    """An error that says what is wrong with the input; a good end of a case."""


class UnclearError(Exception):
    """An error of the right type that does not name the file."""


class WrongResult(Exception):
    """A result that is not the right one."""


class Kind(ABC):
    """
    A kind of cases: what is read, and what the right results are.

    Subclasses define `name`, `cases` and `run`. The constructor is called in each new worker
    process and prepares what all cases share, such as the honest files that a case damages.

    # Parameters

    folder : `Path`
        Empty folder for files that all cases of a worker share.
    """

    name: str
    """The name on the command line."""

    cases: int
    """The default number of cases."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def run(self, random: Random, folder: Path) -> None:
        """
        Makes the input of a case, hands it to the plugin, and checks the result.

        # Parameters

        random : `Random`
            The only source of random choices, so a case can be run again.
        folder : `Path`
            Empty folder of this case.

        # Raises

        `ClearError`
            When the plugin refused the input with a clear error, a good end as well. Every other
            exception is a failure of the case.
        """


@contextmanager
def clear_errors(
    *names: str, allowed: Tuple[Type[BaseException], ...] = (ConfigurationError,)
) -> Iterator[None]:
    """
    Turns the errors that are allowed within the `with` block into a `ClearError`.

    # Parameters

    *names : `str`
        Texts that the error's message must contain, such as the path of the file.
    allowed : `Tuple[Type[BaseException], ...]`, optional (default = `(ConfigurationError,)`)
        Types of clear errors.

    # Raises

    `ClearError`
        When an allowed error was raised.
    `UnclearError`
        When its message lacks a name.
    """
    try:
        yield
    except allowed as error:
        missing = [name for name in names if name not in str(error)]
        if missing:
            raise UnclearError(f"the error does not name {missing}: {error}") from error
        raise ClearError(str(error)) from error


def require(condition: object, message: str) -> None:
    """
    Raises an error unless a condition holds.

    # Parameters

    condition : `object`
        Condition of a right result.
    message : `str`
        Description of the wrong result.

    # Raises

    `WrongResult`
        When the condition is false.
    """
    if not condition:
        raise WrongResult(message)
