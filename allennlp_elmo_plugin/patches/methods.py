"""
Replacing a method of a class, or a function of a module, once and with its signature.
"""

import functools
import logging
from types import ModuleType
from typing import Any, Callable, Union

logger = logging.getLogger(__name__)

__all__ = ["Method", "replace_method"]

_MARK = "__allennlp_elmo_plugin_patch__"

Method = Callable[..., Any]


def replace_method(
    owner: Union[type, ModuleType], name: str, patch: Callable[[Method], Method]
) -> None:
    """
    Replaces `owner.name` by its patched version, unless it is patched already.

    The patched method reports the signature and the docstring of the original, because AllenNLP's
    `FromParams` reads them.

    # Parameters

    owner : `Union[type, ModuleType]`
        Class that defines the method, whose subclasses inherit the patch; or module of a function.
    name : `str`
        Name of the method or function.
    patch : `Callable[[Method], Method]`
        Function from the original method to the patched method.
    """
    original = getattr(owner, name)
    if hasattr(original, _MARK):
        return
    patched = functools.wraps(original)(patch(original))
    setattr(patched, _MARK, True)
    setattr(owner, name, patched)
    logger.info("patched %s.%s", owner.__name__, name)
