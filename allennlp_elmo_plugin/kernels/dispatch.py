"""
Dispatch: the choice between the compiled kernels and plain PyTorch.

If there is a C compiler, the installation compiles one C source once for each capability (an
instruction set). The recurrence on a GPU is written in Triton, which compiles it when it is first
run. Without compiled kernels, PyTorch computes the same.
"""

import ctypes
import logging
import os
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Tuple

import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.io.locks import Once
from allennlp_elmo_plugin.kernels.abi import ARGUMENTS, DONE, NO_MEMORY, find_mismatch
from allennlp_elmo_plugin.kernels.tiling import can_tile

__all__ = [
    "Kernels",
    "available_kernels",
    "choose_kernels",
    "gpu_kernels_fit",
    "kernels_for",
    "use_kernels",
]

logger = logging.getLogger(__name__)

ENVIRONMENT_VARIABLE = "ALLENNLP_ELMO_KERNELS"
PLAIN = "plain"
TRITON = "triton"
# The first release that surely starts all programs of a kernel at once.
OLDEST_TRITON = (3, 3)
# The first compute capability with bfloat16 and TensorFloat-32.
OLDEST_GPU = (8, 0)
LIBRARY = Path(__file__).with_name("_compiled.so")

CAPABILITIES = {
    "avx512_bf16": "the processor has AVX-512 with VNNI and BF16",
    "avx512": "the processor has AVX-512, without VNNI and BF16",
    "avx2": "the processor has AVX2, but not AVX-512",
    "generic": "they run on any processor",
}
"""The capabilities from fastest to slowest, each with the reason why it is chosen."""

FORCED = "they were asked for by name"

_new_choice = Once()
_forced: "ContextVar[Optional[str]]" = ContextVar("forced", default=None)


class Kernels:
    """
    The kernels of one capability.

    # Parameters

    library : `ctypes.CDLL`
        Shared library with the kernels.
    capability : `str`
        Capability of the kernels, one of `CAPABILITIES`.

    # Raises

    `AttributeError`
        If the library lacks one of the kernels.
    """

    def __init__(self, library: ctypes.CDLL, capability: str) -> None:
        self.capability = capability
        self._functions = {name: getattr(library, f"{name}_{capability}") for name in ARGUMENTS}
        for name, function in self._functions.items():
            function.argtypes = [ctypes.POINTER(ARGUMENTS[name])]
            function.restype = ctypes.c_int64

    def run(self, name: str, arguments: ctypes.Structure) -> bool:
        """
        Runs a kernel.

        # Parameters

        name : `str`
            Name of the kernel, one of `ARGUMENTS`.
        arguments : `ctypes.Structure`
            Structure of the kernel's arguments. The tensors behind its pointers have to live until
            the kernel returns.

        # Returns

        `bool`
            `True` if the kernel ran. `False` if it refused batch sizes or characters with which it
            would leave the memory of the tensors; it has written nothing then.

        # Raises

        `MemoryError`
            If the kernel could not allocate its working memory.
        """
        status = self._functions[name](ctypes.byref(arguments))
        if status == NO_MEMORY:
            raise MemoryError(f"The kernel '{name}' could not allocate its working memory.")
        return status == DONE


def available_kernels() -> List[str]:
    """
    Returns the names of all kernels that can run here.

    # Returns

    `List[str]`
        Compiled capabilities that this processor has, fastest first, and then `"plain"`, which
        stands for PyTorch.
    """
    return [*_load()[0], PLAIN]


def choose_kernels() -> Optional[Kernels]:
    """
    Returns the fastest kernels for this processor, or those that are asked for by name.

    `use_kernels` and the environment variable `ALLENNLP_ELMO_KERNELS` ask for kernels by name. Each
    new choice is logged with its reason.

    # Returns

    `Optional[Kernels]`
        Chosen kernels, or `None` for plain PyTorch.

    # Raises

    `ConfigurationError`
        If the kernels that are asked for are not available.
    """
    compiled, problem = _load()
    forced = _forced_name()
    if not forced:
        chosen = next(iter(compiled), PLAIN)
        reason = problem if chosen == PLAIN else CAPABILITIES[chosen]
    else:
        chosen, reason = forced, FORCED
    if chosen != PLAIN and chosen not in compiled:
        raise ConfigurationError(
            f"Expected kernels from {[*compiled, PLAIN]}, got '{chosen}'"
            + (f" ({problem})." if problem else ", which this processor does not run.")
        )
    _log(chosen, reason)
    return compiled.get(chosen)


def kernels_for(parameter: torch.Tensor, inputs: torch.Tensor, *sizes: int) -> Optional[Kernels]:
    """
    Returns the kernels for a module's inputs, or `None` if PyTorch has to run them.

    # Parameters

    parameter : `torch.Tensor`
        Any parameter of the module. All parameters of a module share one device and dtype.
    inputs : `torch.Tensor`
        Inputs of the module, of any shape, dtype and device.
    sizes : `int`
        Sizes that have to suit the kernels; see `can_tile`.

    # Returns

    `Optional[Kernels]`
        Kernels from `choose_kernels` for rows on the CPU and float32 parameters of suitable sizes.
        `None` for other devices, dtypes and sizes, for no rows, and while `torch.jit.trace` runs.
    """
    return choose_kernels() if _fits("cpu", parameter, inputs, *sizes) else None


def gpu_kernels_fit(parameter: torch.Tensor, inputs: torch.Tensor, *sizes: int) -> bool:
    """
    Returns `True` if the Triton kernels can run a module's inputs.

    The name `"plain"`, in `use_kernels` or in the environment variable `ALLENNLP_ELMO_KERNELS`,
    turns them off.

    # Parameters

    parameter : `torch.Tensor`
        Any parameter of the module. All parameters of a module share one device and dtype.
    inputs : `torch.Tensor`
        Inputs of the module, of any shape, dtype and device.
    sizes : `int`
        Sizes that have to suit the kernels; see `can_tile`.

    # Returns

    `bool`
        `True` for rows on an NVIDIA GPU with Triton, and float32 parameters of suitable sizes.
        `False` for others, for no rows, and while `torch.jit.trace` runs.
    """
    if not _fits("cuda", parameter, inputs, *sizes):
        return False
    if _forced_name() == PLAIN:
        problem: Optional[str] = FORCED
    else:
        problem = _gpu_problem(torch.cuda.get_device_capability(parameter.device))
    _log(PLAIN if problem else TRITON, problem or "the weights are on a GPU")
    return problem is None


@contextmanager
def use_kernels(name: str) -> Iterator[None]:
    """
    Forces a choice of kernels inside a `with` block, for the thread or asyncio task that enters it.

    The environment variable `ALLENNLP_ELMO_KERNELS` holds for all threads.

    # Parameters

    name : `str`
        Name of the kernels, one of `available_kernels()`.
    """
    before = _forced.set(name)
    try:
        yield
    finally:
        _forced.reset(before)


def _fits(device: str, parameter: torch.Tensor, inputs: torch.Tensor, *sizes: int) -> bool:
    return (
        parameter.device.type == inputs.device.type == device
        and parameter.dtype == torch.float32
        and can_tile(*sizes)
        and len(inputs) > 0
        and not torch.jit.is_tracing()
    )


def _forced_name() -> Optional[str]:
    return _forced.get() or os.environ.get(ENVIRONMENT_VARIABLE)


@lru_cache(maxsize=None)
def _gpu_problem(capability: Tuple[int, int]) -> Optional[str]:
    """Returns the reason why the Triton kernels cannot run on a GPU, or `None`."""
    if torch.version.hip is not None:
        return "the Triton kernels are for NVIDIA's GPUs"
    if capability < OLDEST_GPU:
        found, oldest = (".".join(map(str, each)) for each in (capability, OLDEST_GPU))
        return f"the GPU has compute capability {found}, and the Triton kernels need {oldest}"
    try:
        installed = version(TRITON)
    except PackageNotFoundError:
        return "Triton is not installed, which comes with PyTorch for NVIDIA's GPUs on Linux"
    if tuple(map(int, installed.split(".")[:2])) < OLDEST_TRITON:
        oldest = ".".join(map(str, OLDEST_TRITON))
        return f"Triton is {installed}, and the kernels need {oldest} or newer"
    return None


@lru_cache(maxsize=None)
def _load() -> Tuple[Dict[str, Kernels], str]:
    """Returns the kernels that run here, by capability, and the problem if there are none."""
    if not LIBRARY.is_file():
        return {}, "no kernels were compiled at the installation, which takes a C compiler"
    try:
        # PyTorch is loaded by now, so the library uses PyTorch's OpenMP. Two pools of threads would
        # wait for each other's cores.
        library = ctypes.CDLL(str(LIBRARY))
    except OSError as error:
        return {}, f"the compiled kernels cannot be loaded ({error})"
    try:
        problem = find_mismatch(library)
        if problem is None:
            return _kernels_of(library), ""
    except AttributeError as error:
        problem = str(error)
    return {}, (
        f"the compiled kernels are those of another version of the package ({problem}). "
        "Install the package again to compile them"
    )


def _kernels_of(library: ctypes.CDLL) -> Dict[str, Kernels]:
    library.runs_here.argtypes = [ctypes.c_char_p]
    library.runs_here.restype = ctypes.c_int64
    return {
        capability: Kernels(library, capability)
        for capability in CAPABILITIES
        if library.runs_here(capability.encode())
    }


def _log(chosen: str, reason: str) -> None:
    if not _new_choice.is_first((chosen, reason)):
        return
    if chosen == PLAIN:
        logger.info("ELMo runs on plain PyTorch: %s.", reason)
    else:
        logger.info("ELMo runs on the kernels '%s': %s.", chosen, reason)
