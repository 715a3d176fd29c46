"""
Letting `torch.load(weights_only=True)` read NumPy numbers and nothing else.

A pickled NumPy number is a call of two NumPy functions, `dtype` and `scalar`. Both can construct
much more than numbers, so they are not allowed themselves. Two strict stand-ins are loaded under
their names instead.
"""

import inspect
import io
from contextlib import contextmanager
from functools import lru_cache
from pickle import UnpicklingError
from typing import Any, Callable, Iterator, List, Tuple, Union

import numpy
import torch

from allennlp_elmo_plugin.io.torch_files import load_torch_file

__all__ = ["allow_numpy_scalars", "load_with_numpy_scalars"]

_CODES = frozenset(["b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"])
_BYTE_ORDERS = frozenset("<>=|")


class _NumberType:
    """
    A stand-in for `numpy.dtype` that accepts booleans, integers and floats only.

    # Parameters

    code : `str`
        Kind and width in bytes, such as `f8`. The other arguments of `numpy.dtype` describe
        structured types and are ignored.
    """

    def __init__(self, code: str, *_: Any) -> None:
        if not isinstance(code, str) or code not in _CODES:
            raise UnpicklingError(
                f"expected the NumPy type of a number, one of {sorted(_CODES)}, got {code!r}"
            )
        self.dtype = numpy.dtype(code)

    def __setstate__(self, state: Tuple[Any, ...]) -> None:
        order = state[1] if isinstance(state, tuple) and len(state) > 1 else state
        if not isinstance(order, str) or order not in _BYTE_ORDERS:
            raise UnpicklingError(
                f"expected a NumPy byte order, one of {sorted(_BYTE_ORDERS)}, got {order!r}"
            )
        self.dtype = numpy.dtype(order + self.dtype.str[1:])


def _number(number_type: Any, data: Any) -> numpy.generic:
    """Stands in for NumPy's `scalar`: returns the number that the given bytes encode."""
    # It is a `numpy.dtype` if the user has allowed that class.
    dtype = number_type.dtype if isinstance(number_type, _NumberType) else number_type
    if not isinstance(dtype, numpy.dtype) or dtype.str[1:] not in _CODES:
        raise UnpicklingError(f"expected the NumPy type of a number, got {dtype!r}")
    if not isinstance(data, bytes) or len(data) != dtype.itemsize:
        raise UnpicklingError(f"expected {dtype.itemsize} bytes for a {dtype}, got {data!r}")
    return numpy.frombuffer(data, dtype)[0]


# NumPy 2 renamed `numpy.core`. A checkpoint has the name of the NumPy that wrote it.
_STAND_INS: List[Tuple[Callable[..., Any], str]] = [
    (_NumberType, "numpy.dtype"),
    (_number, "numpy.core.multiarray.scalar"),
    (_number, "numpy._core.multiarray.scalar"),
]


def _name_of(allowed: Any) -> str:
    if isinstance(allowed, tuple):
        return allowed[1]
    return f"{allowed.__module__}.{allowed.__qualname__}"


@contextmanager
def allow_numpy_scalars() -> Iterator[None]:
    """
    Lets `torch.load` with `weights_only` read NumPy booleans, integers and floats of up to 8 bytes.

    The permission ends with the `with` block. A name that the user has allowed keeps the user's
    own meaning.
    """
    taken = {_name_of(allowed) for allowed in torch.serialization.get_safe_globals()}
    stand_ins: List[Union[Callable[..., Any], Tuple[Callable[..., Any], str]]] = [
        stand_in for stand_in in _STAND_INS if stand_in[1] not in taken
    ]
    with torch.serialization.safe_globals(stand_ins):
        yield


@lru_cache(maxsize=None)
def _can_allow() -> bool:
    """Returns `True` from PyTorch 2.6 on, which takes stand-ins under other names."""
    if not hasattr(torch.serialization, "safe_globals"):
        return False
    file = io.BytesIO()
    torch.save(numpy.float64(0.0), file)
    file.seek(0)
    try:
        with allow_numpy_scalars():
            torch.load(file, weights_only=True)
    except Exception:  # noqa: B902 - Some versions fail in other ways than by refusing.
        return False
    return True


def load_with_numpy_scalars(path: Any, *args: Any, **options: Any) -> Any:
    """
    Reads a file of a checkpoint, in which numbers can be NumPy's.

    PyTorch 1.13 to 2.5 cannot read NumPy's numbers with `weights_only`, so it is not set there.

    # Parameters

    path : `Union[str, PathLike]`
        Path of the file.
    args, options :
        Further arguments of `torch.load`.

    # Raises

    `DamagedFileError`
        If the file is empty, cut off or damaged.
    `ConfigurationError`
        If the file holds objects that `torch.load` refuses.
    """
    if _can_allow():
        with allow_numpy_scalars():
            return load_torch_file(path, *args, **options)
    if "weights_only" in inspect.signature(torch.load).parameters:
        options.setdefault("weights_only", False)
    return load_torch_file(path, *args, **options)
