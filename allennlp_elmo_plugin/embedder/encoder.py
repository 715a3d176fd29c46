"""
From character ids to layers.
"""

from typing import NamedTuple, Optional

import torch
from allennlp.common import Registrable

__all__ = ["ElmoEncoder", "EncodedSentences"]


class EncodedSentences(NamedTuple):
    """
    What an `ElmoEncoder` gives for a batch.

    # Parameters

    layers : `torch.Tensor`
        Shape (num_representations, batch, timesteps + 2, output_dim), float: all layers, or as many
        of the first as were asked for. Each row starts with `<S>` and ends with `</S>`; behind that
        it is exactly 0.
    mask : `torch.Tensor`
        Shape (batch, timesteps + 2), bool. True = word or boundary.
    """

    layers: torch.Tensor
    mask: torch.Tensor


class ElmoEncoder(torch.nn.Module, Registrable):
    """
    Turns the character ids of a batch of sentences into layers for a scalar mix.
    """

    default_implementation = "bilm"

    num_representations: int
    """The number of layers that `forward` can give."""

    def get_output_dim(self) -> int:
        """The size of each vector of each layer."""
        raise NotImplementedError(f"{type(self).__name__} does not tell its output size")

    def impurity(self) -> Optional[str]:
        """
        # Returns

        `Optional[str]`
            Why a sentence's layers depend on more than the sentence, or have gradients, so that
            they cannot be kept; `None` where they can.
        """
        return f"{type(self).__name__} does not say that they depend on the sentence alone"

    def digest(self) -> bytes:
        """
        # Returns

        `bytes`
            Different for encoders that give different layers. Asked only where there is no
            `impurity`.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot be told from others")

    def forward(
        self,
        character_ids: torch.Tensor,
        word_ids: Optional[torch.Tensor] = None,
        num_representations: Optional[int] = None,
    ) -> EncodedSentences:
        """
        # Parameters

        character_ids : `torch.Tensor`
            Shape (batch, timesteps, characters), int64. A token of zeros is no token.
        word_ids : `torch.Tensor`, optional (default = `None`)
            Shape (batch, timesteps), int64: what a word cache that looks words up by id reads.
        num_representations : `int`, optional (default = `None`)
            How many layers are wanted, from the first; all of them by default.

        # Returns

        `EncodedSentences`
        """
        raise NotImplementedError(f"{type(self).__name__} encodes nothing")
