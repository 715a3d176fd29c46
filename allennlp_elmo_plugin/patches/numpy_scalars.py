"""
Letting `torch.load(weights_only=True)` read NumPy numbers, and nothing else.

NumPy pickles a number as a call of two of its functions. Instead of allowing those,
which take far more than numbers, their names are answered by two strict stand-ins.
"""

from contextlib import contextmanager
from pickle import UnpicklingError
from typing import Any, Callable, Iterator, List, Tuple, Union

import numpy
import torch

__all__ = ["numpy_scalars_allowed"]

_CODES = frozenset(["b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"])
_BYTE_ORDERS = frozenset("<>=|")


class _NumberType:
    """
    Stands in for `numpy.dtype`: the type of a boolean, an integer or a float.

    # Parameters

    code : `str`
        Kind and width in bytes, such as `f8`. The other arguments of `numpy.dtype` concern
        structured types, and are ignored.
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
    """Stands in for NumPy's `scalar`: one number from its bytes."""
    # Someone else may have allowed `numpy.dtype` itself.
    dtype = number_type.dtype if isinstance(number_type, _NumberType) else number_type
    if not isinstance(dtype, numpy.dtype) or dtype.str[1:] not in _CODES:
        raise UnpicklingError(f"expected the NumPy type of a number, got {dtype!r}")
    if not isinstance(data, bytes) or len(data) != dtype.itemsize:
        raise UnpicklingError(f"expected {dtype.itemsize} bytes for a {dtype}, got {data!r}")
    return numpy.frombuffer(data, dtype)[0]


# NumPy 2 renamed `numpy.core`; a checkpoint keeps the name of the NumPy that wrote it.
_STAND_INS: List[Tuple[Callable[..., Any], str]] = [
    (_NumberType, "numpy.dtype"),
    (_number, "numpy.core.multiarray.scalar"),
    (_number, "numpy._core.multiarray.scalar"),
]


def _path(allowed: Any) -> str:
    if isinstance(allowed, tuple):
        return allowed[1]
    return f"{allowed.__module__}.{allowed.__qualname__}"


@contextmanager
def numpy_scalars_allowed() -> Iterator[None]:
    """
    A context in which `torch.load` with `weights_only` also reads NumPy booleans, integers
    and floats of up to eight bytes. Names that the user has allowed are left to the user.
    """
    taken = {_path(allowed) for allowed in torch.serialization.get_safe_globals()}
    stand_ins: List[Union[Callable[..., Any], Tuple[Callable[..., Any], str]]] = [
        stand_in for stand_in in _STAND_INS if stand_in[1] not in taken
    ]
    with torch.serialization.safe_globals(stand_ins):
        yield
