"""
Layout steps, the reversible changes between TensorFlow's layout and PyTorch's.

In a certain order, they turn an HDF5 dataset into a parameter.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy
from overrides import overrides

__all__ = [
    "AddToForgetGate",
    "DropLastAxis",
    "LayoutStep",
    "Negate",
    "PrependZeroRow",
    "SwapForgetAndCellGates",
    "Transpose",
]


class LayoutStep(ABC):
    """
    One reversible change of an array's layout.
    """

    @abstractmethod
    def apply(self, array: numpy.ndarray) -> numpy.ndarray:
        """Changes the layout from the dataset's towards the parameter's."""

    @abstractmethod
    def invert(self, array: numpy.ndarray) -> numpy.ndarray:
        """Changes the layout from the parameter's towards the dataset's."""


class Transpose(LayoutStep):
    """
    Reverses the order of all axes.

    TensorFlow stores a matrix as (inputs, outputs), PyTorch as (outputs, inputs).
    """

    @overrides
    def apply(self, array: numpy.ndarray) -> numpy.ndarray:
        return array.T

    @overrides
    def invert(self, array: numpy.ndarray) -> numpy.ndarray:
        return array.T


class DropLastAxis(LayoutStep):
    """
    Removes a last axis of size 1.

    TensorFlow's 2D convolution over characters has a height of 1; PyTorch's is 1D.
    """

    @overrides
    def apply(self, array: numpy.ndarray) -> numpy.ndarray:
        return array[..., 0]

    @overrides
    def invert(self, array: numpy.ndarray) -> numpy.ndarray:
        return array[..., None]


class Negate(LayoutStep):
    """
    Changes the sign.

    A highway gate of bilm-tf weighs the transformed vector, one of AllenNLP the unchanged vector.
    Since `sigmoid(-x) = 1 - sigmoid(x)`, negating the weights turns one into the other.
    """

    @overrides
    def apply(self, array: numpy.ndarray) -> numpy.ndarray:
        return -array

    @overrides
    def invert(self, array: numpy.ndarray) -> numpy.ndarray:
        return -array


class PrependZeroRow(LayoutStep):
    """
    Adds a row of zeros for the character id 0, which means that there is no token.
    """

    @overrides
    def apply(self, array: numpy.ndarray) -> numpy.ndarray:
        return numpy.concatenate([numpy.zeros_like(array[:1]), array])

    @overrides
    def invert(self, array: numpy.ndarray) -> numpy.ndarray:
        return array[1:]


class SwapForgetAndCellGates(LayoutStep):
    """
    Reorders the gates along the last axis, from TensorFlow's i, g, f, o to PyTorch's i, f, g, o.
    """

    @overrides
    def apply(self, array: numpy.ndarray) -> numpy.ndarray:
        first, second, third, fourth = numpy.split(array, 4, axis=-1)
        return numpy.concatenate([first, third, second, fourth], axis=-1)

    @overrides
    def invert(self, array: numpy.ndarray) -> numpy.ndarray:
        return self.apply(array)


@dataclass(frozen=True)
class AddToForgetGate(LayoutStep):
    """
    Adds a constant to the forget gate's part of a bias in PyTorch's gate order.

    TensorFlow adds the constant at every timestep; PyTorch's bias contains it.

    # Parameters

    value : `float`
        The constant.
    """

    value: float

    @overrides
    def apply(self, array: numpy.ndarray) -> numpy.ndarray:
        return self._add(self.value, array)

    @overrides
    def invert(self, array: numpy.ndarray) -> numpy.ndarray:
        return self._add(-self.value, array)

    @staticmethod
    def _add(value: float, array: numpy.ndarray) -> numpy.ndarray:
        total = array.copy()
        total[len(array) // 4 : len(array) // 2] += value
        return total
