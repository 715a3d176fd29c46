"""
Highway layers.
"""

from math import sqrt

import torch
from torch.nn.functional import relu

from allennlp_elmo_plugin.network.kernel_linear import KernelLinear

__all__ = ["Highway", "HighwayStack"]


class Highway(KernelLinear):
    """
    A highway layer `gate * x + (1 - gate) * relu(W x + b)` (Srivastava et al., 2015).

    `weight`, of shape (2 * size, size), and `bias`, of shape (2 * size,), hold the transform first
    and the gate second. The gate is the complement of bilm-tf's carry gate, as in AllenNLP.

    # Parameters

    size : `int`
        The size of the vectors.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size, 2 * size)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """
        Draws new weights, as bilm-tf does before training.

        The carry gate of bilm-tf has a bias of -2, so the layer lets most of its input through.
        """
        _, size = self.weight.shape
        torch.nn.init.normal_(self.weight, std=1 / sqrt(size))
        torch.nn.init.zeros_(self.bias)
        with torch.no_grad():
            self.bias[size:] = 2.0

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """
        Applies the layer.

        # Parameters

        vectors : `torch.Tensor`
            Shape (words, size), float.

        # Returns

        `torch.Tensor`
            Shape (words, size), float.
        """
        transform, gate = super().forward(vectors).chunk(2, dim=-1)
        gate = torch.sigmoid(gate)
        return gate * vectors + (1 - gate) * relu(transform)


class HighwayStack(torch.nn.Module):
    """
    Highway layers, one after the other, under the name that AllenNLP's `Highway` has for them.

    # Parameters

    size : `int`
        The size of the vectors.
    num_layers : `int`
        The number of layers; 0 is allowed.
    """

    def __init__(self, size: int, num_layers: int) -> None:
        super().__init__()
        self._layers = torch.nn.Sequential(*(Highway(size) for _ in range(num_layers)))

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """Applies the layers to `vectors`; see `Highway.forward`."""
        return self._layers(vectors)
