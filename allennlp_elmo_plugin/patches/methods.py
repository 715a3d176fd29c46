"""Replacing a method of a class once, with its signature kept."""

import functools
import logging
from typing import Any, Callable

logger = logging.getLogger(__name__)

__all__ = ["replace_method"]

_MARK = "__allennlp_elmo_plugin_repair__"

Method = Callable[..., Any]


def replace_method(cls: type, name: str, repair: Callable[[Method], Method]) -> None:
    """
    Put a repaired method in the place of `cls.name`, unless it is there already.

    The new method reports the signature and the docstring of the old one, which is what
    AllenNLP's `FromParams` reads.

    # Parameters

    cls : `type`
        The class that defines the method. Its subclasses get the repair by inheritance.
    name : `str`
        The name of the method.
    repair : `Callable[[Method], Method]`
        Takes the method as it is and returns the method as it should be.
    """
    original = getattr(cls, name)
    if hasattr(original, _MARK):
        return
    replacement = functools.wraps(original)(repair(original))
    setattr(replacement, _MARK, True)
    setattr(cls, name, replacement)
    logger.info("repaired %s.%s", cls.__name__, name)
