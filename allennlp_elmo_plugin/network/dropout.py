"""
Dropout that costs little on a CPU.
"""

import torch

__all__ = ["fast_dropout"]

DRAWS_PER_WORD = 4
# Of each 16 bits, the sign bit is not random.
BITS = 15


def fast_dropout(tensor: torch.Tensor, probability: float) -> torch.Tensor:
    """
    Sets elements to 0 at random and scales the others, so the mean stays.

    On a CPU, PyTorch draws one random number for each element, which would take a tenth of a
    training step. This function draws one for four elements.

    # Parameters

    tensor : `torch.Tensor`
        Any shape, float.
    probability : `float`
        Probability of dropping each element, in [0, 1). On a CPU it is rounded to a multiple of
        2 ** -15.

    # Returns

    `torch.Tensor`
        The shape of `tensor`; `tensor` itself if the probability is 0.
    """
    if probability == 0.0:
        return tensor
    if tensor.device.type != "cpu":
        return torch.nn.functional.dropout(tensor, probability)
    size = tensor.numel()
    words = torch.empty(-(-size // DRAWS_PER_WORD), dtype=torch.int64).random_()
    draws = words.view(torch.int16)[:size].bitwise_and_(2**BITS - 1)
    kept = (draws >= round(probability * 2**BITS)).view(tensor.shape)
    return tensor * kept * (1 / (1 - probability))
