"""
Dropout that costs little on a CPU.
"""

import torch

__all__ = ["dropout"]

DRAWS_IN_A_WORD = 4
# One bit in 64, the sign, is not drawn.
BITS = 15


def dropout(tensor: torch.Tensor, probability: float) -> torch.Tensor:
    """
    Sets numbers to 0 at random and scales the others, so that the mean stays.

    PyTorch's own draws number by number on a CPU, one after the other, which would be a tenth of a
    training step; this draws four at a time.

    # Parameters

    tensor : `torch.Tensor`
        Any shape, float.
    probability : `float`
        That of each number to be dropped, at least 0 and less than 1. On a CPU it is rounded to a
        multiple of 2 ** -15.

    # Returns

    `torch.Tensor`
        The shape of `tensor`; `tensor` itself if the probability is 0.
    """
    if probability == 0.0:
        return tensor
    if tensor.device.type != "cpu":
        return torch.nn.functional.dropout(tensor, probability)
    size = tensor.numel()
    words = torch.empty(-(-size // DRAWS_IN_A_WORD), dtype=torch.int64).random_()
    draws = words.view(torch.int16)[:size].bitwise_and_(2**BITS - 1)
    kept = (draws >= round(probability * 2**BITS)).view(tensor.shape)
    return tensor * kept * (1 / (1 - probability))
