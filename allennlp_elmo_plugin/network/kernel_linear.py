"""
A linear layer that the kernels can run.
"""

from typing import Tuple

import torch
from allennlp.common.checks import ConfigurationError
from torch.nn import functional

from allennlp_elmo_plugin.kernels import (
    TiledMatrix,
    kernel_linear,
    kernels_for,
    round_activations,
    tile_vector,
)
from allennlp_elmo_plugin.network.derived_cache import DerivedCache
from allennlp_elmo_plugin.network.linear_weights import LinearWeights
from allennlp_elmo_plugin.network.reduced_precision import (
    as_dtype,
    as_tiled,
    needs_gradients,
    reduce_matrix,
    refuse_gradients,
    stored_tensors,
)

__all__ = ["KernelLinear"]


class KernelLinear(LinearWeights):
    """
    A linear layer `W x + b` on the compiled kernels, or on PyTorch where they do not fit.

    # Parameters

    num_inputs : `int`
        The size of the input vectors.
    num_outputs : `int`
        The size of the output vectors.
    """

    def __init__(self, num_inputs: int, num_outputs: int) -> None:
        super().__init__(num_inputs, num_outputs)
        self.num_inputs = num_inputs
        self.precision = "float32"
        self.derived = DerivedCache()

    def reduce_precision(self, precision: str) -> None:
        """
        Rounds and freezes the matrix.

        # Parameters

        precision : `str`
            `"bfloat16"` or `"int8"`.
        """
        reduce_matrix(self, "weight", precision)
        self.precision = precision

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """
        Applies the layer.

        # Parameters

        vectors : `torch.Tensor`
            Shape (words, num_inputs), float.

        # Returns

        `torch.Tensor`
            Shape (words, num_outputs), float.

        # Raises

        `ConfigurationError`
            When the vectors have another size, or when gradients are needed and the precision is
            reduced.
        """
        if vectors.dim() != 2 or vectors.size(1) != self.num_inputs:
            raise ConfigurationError(
                f"Expected vectors of shape (words, {self.num_inputs}), got shape "
                f"{tuple(vectors.shape)}."
            )
        differentiates = needs_gradients(self, vectors)
        if differentiates:
            refuse_gradients(self.precision)
        kernels = kernels_for(self.bias, vectors, vectors.size(1), len(self.bias))
        if differentiates or kernels is None:
            self.derived.clear()
            rounded = round_activations(vectors, self.precision)
            return functional.linear(rounded, as_dtype(self.weight, self.bias.dtype), self.bias)
        return kernel_linear(kernels, vectors.float(), *self.tiled())

    def tiled(self) -> Tuple[TiledMatrix, torch.Tensor]:
        """
        Returns the parameters as the kernels read them.

        # Returns

        `Tuple[TiledMatrix, torch.Tensor]`
            The matrix and its bias.
        """
        return self.derived.get("tiled", stored_tensors(self), self._compute_tiled)

    def _compute_tiled(self) -> Tuple[TiledMatrix, torch.Tensor]:
        return as_tiled(self.weight), tile_vector(self.bias)
