"""
The parameters of a linear layer.
"""

import torch

__all__ = ["LinearWeights"]


class LinearWeights(torch.nn.Module):
    """
    The parameters of a linear layer, without a forward pass of its own.

    They are those of `torch.nn.Linear`: `weight`, of shape (num_outputs, num_inputs), and `bias`,
    of shape (num_outputs,). They are uninitialized until values are drawn or loaded.

    # Parameters

    num_inputs : `int`
        The size of the input vectors.
    num_outputs : `int`
        The size of the output vectors.
    has_bias : `bool`, optional (default = `True`)
        If `False`, there is no `bias`.
    """

    def __init__(self, num_inputs: int, num_outputs: int, has_bias: bool = True) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.empty(num_outputs, num_inputs))
        if has_bias:
            self.bias = torch.nn.Parameter(torch.empty(num_outputs))
