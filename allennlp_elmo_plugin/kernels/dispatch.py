"""
The compiled kernels: whether they are there, which of them this processor runs, and which are
chosen.

They are compiled when the package is installed, if there is a C compiler, in several versions
("levels") from one source. Where there are none, the same computations run in PyTorch.
"""

import ctypes
import logging
import os
from contextlib import contextmanager
from functools import lru_cache
from importlib.util import find_spec
from typing import Dict, Iterator, List, Optional, Tuple

from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.kernels.abi import ARGUMENTS

__all__ = ["Kernels", "available_kernels", "choose_kernels", "use_kernels"]

logger = logging.getLogger(__name__)

ENVIRONMENT_VARIABLE = "ALLENNLP_ELMO_KERNELS"
PLAIN = "plain"

CAPABILITIES = {
    "avx512_bf16": "the processor has AVX-512 with VNNI and BF16",
    "avx512": "the processor has AVX-512, without VNNI and BF16",
    "avx2": "the processor has AVX2, but not AVX-512",
    "generic": "they run on any processor",
}
"""From best to plainest, with what speaks for each."""

_forced: Optional[str] = None


class Kernels:
    """
    The kernels of one capability.

    # Parameters

    library : `ctypes.CDLL`
        The shared library.
    capability : `str`
        One of `CAPABILITIES`.
    """

    def __init__(self, library: ctypes.CDLL, capability: str) -> None:
        self.capability = capability
        self._functions = {name: getattr(library, f"{name}_{capability}") for name in ARGUMENTS}
        for name, function in self._functions.items():
            function.argtypes = [ctypes.POINTER(ARGUMENTS[name])]
            function.restype = ctypes.c_int64

    def run(self, name: str, call: ctypes.Structure) -> None:
        """
        # Parameters

        name : `str`
            One of `ARGUMENTS`.
        call : `ctypes.Structure`
            What the kernel reads and where it writes. The tensors behind its pointers have to
            live until this returns.

        # Raises

        `MemoryError`
            When the kernel could not get memory to work in.
        """
        if self._functions[name](ctypes.byref(call)) != 0:
            raise MemoryError(f"The kernel '{name}' got no memory to work in.")


def available_kernels() -> List[str]:
    """
    # Returns

    `List[str]`
        The levels that are compiled and that this processor runs, best first; then `"plain"`.
    """
    return [*_load()[0], PLAIN]


def choose_kernels() -> Optional[Kernels]:
    """
    The best kernels for this processor, unless `use_kernels` or the environment variable
    `ALLENNLP_ELMO_KERNELS` names others. The choice and its reason are logged when they are new.

    # Returns

    `Optional[Kernels]`
        `None` for plain PyTorch.

    # Raises

    `ConfigurationError`
        When kernels are named that are not there.
    """
    levels, problem = _load()
    forced = _forced or os.environ.get(ENVIRONMENT_VARIABLE)
    if not forced:
        chosen = next(iter(levels), PLAIN)
        reason = problem if chosen == PLAIN else CAPABILITIES[chosen]
    else:
        chosen, reason = forced, "they were asked for by name"
    if chosen != PLAIN and chosen not in levels:
        raise ConfigurationError(
            f"Expected kernels from {[*levels, PLAIN]}, got '{chosen}'"
            + (f" ({problem})." if problem else ", which this processor does not run.")
        )
    _log(chosen, reason)
    return levels.get(chosen)


@contextmanager
def use_kernels(name: str) -> Iterator[None]:
    """
    Forces a choice for the time of a `with` block.

    # Parameters

    name : `str`
        One of `available_kernels()`.
    """
    global _forced
    before, _forced = _forced, name
    try:
        yield
    finally:
        _forced = before


@lru_cache(maxsize=None)
def _load() -> Tuple[Dict[str, Kernels], str]:
    """The kernels that can run, and what is wrong where there are none."""
    spec = find_spec("allennlp_elmo_plugin.kernels._compiled")
    if spec is None or spec.origin is None:
        return {}, "no kernels were compiled at the installation, which takes a C compiler"
    try:
        # Its OpenMP is that of PyTorch, which is loaded by now: two pools of threads would wait
        # for each other's cores.
        library = ctypes.CDLL(spec.origin)
    except OSError as error:
        return {}, f"the compiled kernels cannot be loaded ({error})"
    library.runs_here.argtypes = [ctypes.c_char_p]
    library.runs_here.restype = ctypes.c_int64
    return {
        capability: Kernels(library, capability)
        for capability in CAPABILITIES
        if library.runs_here(capability.encode())
    }, ""


@lru_cache(maxsize=None)
def _log(chosen: str, reason: str) -> None:
    if chosen == PLAIN:
        logger.info("ELMo runs on plain PyTorch: %s.", reason)
    else:
        logger.info("ELMo runs on the kernels '%s': %s.", chosen, reason)
