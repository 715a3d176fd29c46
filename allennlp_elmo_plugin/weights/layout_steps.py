"""
The reversible steps between an HDF5 dataset in TensorFlow's layout and a parameter in PyTorch's.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Tuple

import numpy

__all__ = [
    "AddToForgetGate",
    "DropLastAxis",
    "Negate",
    "PrependZeroRow",
    "LayoutStep",
    "SwapForgetAndCellGates",
    "Transpose",
]


class LayoutStep(ABC):
    """One change of layout that can be taken back."""

    @abstractmethod
    def apply(self, array: numpy.ndarray) -> numpy.ndarray:
        """From the file towards the parameter."""

    @abstractmethod
    def invert(self, array: numpy.ndarray) -> numpy.ndarray:
        """From the parameter towards the file."""


class Transpose(LayoutStep):
    """All axes in reverse order: TensorFlow multiplies from the left, PyTorch from the right."""

    def apply(self, array: numpy.ndarray) -> numpy.ndarray:
        return array.T

    def invert(self, array: numpy.ndarray) -> numpy.ndarray:
        return array.T


class DropLastAxis(LayoutStep):
    """Removes a last axis of size one (the height that TensorFlow's 2D convolution has)."""

    def apply(self, array: numpy.ndarray) -> numpy.ndarray:
        return array[..., 0]

    def invert(self, array: numpy.ndarray) -> numpy.ndarray:
        return array[..., None]


class Negate(LayoutStep):
    """The carry gate as its complement, so that one formula serves AllenNLP's archives too."""

    def apply(self, array: numpy.ndarray) -> numpy.ndarray:
        return -array

    def invert(self, array: numpy.ndarray) -> numpy.ndarray:
        return -array


class PrependZeroRow(LayoutStep):
    """A row of zeros for the character id 0, which says that there is no token."""

    def apply(self, array: numpy.ndarray) -> numpy.ndarray:
        return numpy.concatenate([numpy.zeros_like(array[:1]), array])

    def invert(self, array: numpy.ndarray) -> numpy.ndarray:
        return array[1:]


class SwapForgetAndCellGates(LayoutStep):
    """The last axis in TensorFlow's gate order i, g, f, o becomes PyTorch's order i, f, g, o."""

    def apply(self, array: numpy.ndarray) -> numpy.ndarray:
        first, second, third, fourth = numpy.split(array, 4, axis=-1)
        return numpy.concatenate([first, third, second, fourth], axis=-1)

    def invert(self, array: numpy.ndarray) -> numpy.ndarray:
        return self.apply(array)


@dataclass(frozen=True)
class AddToForgetGate(LayoutStep):
    """TensorFlow adds a constant to the forget gate at every step; PyTorch's bias contains it."""

    value: float

    def apply(self, array: numpy.ndarray) -> numpy.ndarray:
        return self._shifted(array, self.value)

    def invert(self, array: numpy.ndarray) -> numpy.ndarray:
        return self._shifted(array, -self.value)

    @staticmethod
    def _shifted(array: numpy.ndarray, value: float) -> numpy.ndarray:
        shifted = array.copy()
        forget_gate = _second_quarter(array.shape)
        shifted[forget_gate] += value
        return shifted


def _second_quarter(shape: Tuple[int, ...]) -> slice:
    return slice(shape[0] // 4, shape[0] // 2)
