"""
Context-free word vectors, the character CNN's output, kept so that a word is computed once.
"""

from typing import Optional

import torch
from allennlp.common import Registrable

__all__ = ["WordCache"]


class WordCache(torch.nn.Module, Registrable):
    """
    Stands before a character CNN and spares it words.
    """

    default_implementation = "lru"
    reads_word_ids = False
    """Whether the cache looks words up by their ids."""

    def fill(self, embed: torch.nn.Module, width: int, requires_grad: bool) -> None:
        """
        Called once, when the character CNN has its weights.

        # Parameters

        embed : `torch.nn.Module`
            The character CNN: from character ids, (words, characters), to word vectors, (words,
            projection_dim).
        width : `int`
            The number of character ids of a word.
        requires_grad : `bool`
            Whether the biLM is trained.
        """

    def forward(
        self,
        character_ids: torch.Tensor,
        word_ids: Optional[torch.Tensor],
        embed: torch.nn.Module,
    ) -> torch.Tensor:
        """
        # Parameters

        character_ids : `torch.Tensor`
            Shape (words, characters), int64.
        word_ids : `Optional[torch.Tensor]`
            Shape (words,), int64: positive, or -1 for `<S>` and -2 for `</S>`.
        embed : `torch.nn.Module`
            The character CNN: from character ids, (words, characters), to word vectors, (words,
            projection_dim).

        # Returns

        `torch.Tensor`
            Shape (words, projection_dim), float: what `embed` gives for each word.
        """
        raise NotImplementedError(f"{type(self).__name__} gives no word vectors")
