"""A character CNN whose vectors are easy to tell, and which remembers its words."""

from typing import List

import torch

__all__ = ["CountingCnn"]


class CountingCnn(torch.nn.Module):
    """
    A stand-in for a character CNN: a word's vector is its character ids times a weight.

    # Parameters

    requires_grad : `bool`, optional (default = `False`)
        If `True`, the weight is trained.
    """

    computed: List[List[int]]
    """The character ids of all words that were computed."""

    def __init__(self, requires_grad: bool = False) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1), requires_grad=requires_grad)
        self.computed = []

    def forward(self, character_ids: torch.Tensor) -> torch.Tensor:
        """Returns the character ids as numbers, and remembers them."""
        self.computed += character_ids.tolist()
        return character_ids.float() * self.scale
