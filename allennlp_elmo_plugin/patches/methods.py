"""
Replacing a method of a class, once and with its signature.
"""

import functools
import logging
from typing import Any, Callable

logger = logging.getLogger(__name__)

__all__ = ["Method", "replace_method"]

_MARK = "__allennlp_elmo_plugin_patch__"

Method = Callable[..., Any]


def replace_method(cls: type, name: str, patch: Callable[[Method], Method]) -> None:
    """
    Replaces `cls.name` by its patched version, unless it is patched already.

    The patched method reports the signature and the docstring of the original, because AllenNLP's
    `FromParams` reads them.

    # Parameters

    cls : `type`
        Class that defines the method. Its subclasses inherit the patch.
    name : `str`
        Name of the method.
    patch : `Callable[[Method], Method]`
        Function from the original method to the patched method.
    """
    original = getattr(cls, name)
    if hasattr(original, _MARK):
        return
    patched = functools.wraps(original)(patch(original))
    setattr(patched, _MARK, True)
    setattr(cls, name, patched)
    logger.info("patched %s.%s", cls.__name__, name)
