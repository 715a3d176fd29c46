"""
The base class of word caches.
"""

from typing import Optional

import torch
from allennlp.common import Registrable

from allennlp_elmo_plugin.network.char_cnn import CharCnn
from allennlp_elmo_plugin.network.spelling import Spelling

__all__ = ["WordCache"]


class WordCache(torch.nn.Module, Registrable):
    """
    A cache of word vectors, so the character CNN runs once per distinct word.

    A word's vector depends on its characters alone, not on its sentence.
    """

    default_implementation = "lru"
    reads_word_ids = False
    """`True` if the cache looks words up by their ids."""

    def precompute(self, char_cnn: CharCnn, spelling: Spelling, requires_grad: bool) -> None:
        """
        Computes the vectors that the cache holds from the start.

        It is called once, after the character CNN has its weights.

        # Parameters

        char_cnn : `CharCnn`
            The character CNN.
        spelling : `Spelling`
            The way to spell words for the character CNN.
        requires_grad : `bool`
            If `True`, the biLM is trained.
        """

    def forward(
        self, character_ids: torch.Tensor, word_ids: Optional[torch.Tensor], char_cnn: CharCnn
    ) -> torch.Tensor:
        """
        Returns the vectors of words, from the cache or from the character CNN.

        # Parameters

        character_ids : `torch.Tensor`
            Shape (words, width), int64: distinct words, spelled.
        word_ids : `Optional[torch.Tensor]`
            Shape (words,), int64: positive, or -1 for `<S>` and -2 for `</S>`.
        char_cnn : `CharCnn`
            The character CNN.

        # Returns

        `torch.Tensor`
            Shape (words, projection_dim), float: the result of `char_cnn` for each word.
        """
        raise NotImplementedError(f"{type(self).__name__} gives no word vectors")
