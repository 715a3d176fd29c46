"""
The check of an option that is one of some names.
"""

from typing import Iterable

from allennlp.common.checks import ConfigurationError

__all__ = ["require_choice"]


def require_choice(option: str, value: str, choices: Iterable[str]) -> None:
    """
    Checks that a value is one of some names.

    # Parameters

    option : `str`
        Name of the option in the error.
    value : `str`
        The value.
    choices : `Iterable[str]`
        The names.

    # Raises

    `ConfigurationError`
        If it is none of them.
    """
    names = list(choices)
    if value not in names:
        raise ConfigurationError(
            f"Expected the {option} to be one of {', '.join(names)}, got '{value}'."
        )
