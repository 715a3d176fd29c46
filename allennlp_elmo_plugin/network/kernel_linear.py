"""
A linear layer that the kernels can run.
"""

import torch
from torch.nn import functional

from allennlp_elmo_plugin.kernels import kernel_linear, round_activations
from allennlp_elmo_plugin.network.packable import Packable

__all__ = ["Linear"]


class Linear(Packable):
    """
    `W x + b`, with the parameters of `torch.nn.Linear`: `weight`, of shape (num_outputs,
    num_inputs), and `bias`, of shape (num_outputs,). They hold no numbers until some are drawn or
    loaded.

    # Parameters

    num_inputs : `int`
        The size of the vectors that come in.
    num_outputs : `int`
        The size of those that go out.
    """

    matrices = {"weight": False}

    def __init__(self, num_inputs: int, num_outputs: int) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.empty(num_outputs, num_inputs))
        self.bias = torch.nn.Parameter(torch.empty(num_outputs))

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """
        # Parameters

        vectors : `torch.Tensor`
            Shape (words, num_inputs), float.

        # Returns

        `torch.Tensor`
            Shape (words, num_outputs), float.
        """
        kernels = self.choose_kernels(self.bias, vectors, vectors.size(1), len(self.bias))
        if self.needs_gradients(vectors) or kernels is None:
            self.derived.clear()
            rounded = round_activations(vectors, self.precision)
            return functional.linear(rounded, self.matrix("weight"), self.bias)
        return kernel_linear(
            kernels, vectors.float(), self.packed_matrix("weight"), self.packed_vector("bias")
        )
