"""
The base class of encoders, which turn a batch of sentences into layers.
"""

from typing import NamedTuple, Optional

import torch
from allennlp.common import Registrable

from allennlp_elmo_plugin.network.sentence_batch import SentenceBatch
from allennlp_elmo_plugin.network.spelling import ByteSpelling, Spelling

__all__ = ["ElmoEncoder", "EncodedSentences"]


class EncodedSentences(NamedTuple):
    """
    The layers of a batch of sentences.

    # Parameters

    layers : `torch.Tensor`
        Shape (num_representations, batch, timesteps + 2, output_dim), float: all layers, or as many
        of the first as were asked for. Each row starts with `<S>` and ends with `</S>`; padded
        positions are exactly 0.
    mask : `torch.Tensor`
        Shape (batch, timesteps + 2), bool. `True` = token or boundary.
    """

    layers: torch.Tensor
    mask: torch.Tensor


class ElmoEncoder(torch.nn.Module, Registrable):
    """
    An encoder that turns a batch of sentences into layers for a scalar mix.
    """

    default_implementation = "bilm"

    num_representations: int
    """The number of layers that `forward` can give, the token layer included."""
    max_characters_per_token: int
    """The number of character ids of a token."""
    doubles_token_layer = False
    """`True` if both halves of a token's vector in layer 0 are the same."""

    @property
    def num_layers(self) -> int:
        """`num_representations` under the name that AllenNLP's `_ElmoBiLm` has for it."""
        return self.num_representations

    @property
    def spelling(self) -> Spelling:
        """The way to spell the words of a batch: by bytes, unless an encoder says otherwise."""
        return ByteSpelling(self.max_characters_per_token)

    def get_output_dim(self) -> int:
        """Returns the size of each vector of each layer."""
        raise NotImplementedError(f"{type(self).__name__} does not tell its output size")

    def uncacheable_reason(self) -> Optional[str]:
        """
        Returns the reason why layers cannot be cached, if there is one.

        # Returns

        `Optional[str]`
            The reason why a sentence's layers depend on more than the sentence and the weights;
            `None` if they can be cached. An activation cache looks at gradients itself.
        """
        return f"{type(self).__name__} does not say that they depend on the sentence alone"

    def digest(self) -> bytes:
        """
        Returns a digest that differs between encoders that give different layers.

        It is called only if layers can be cached.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot be told from others")

    def make_batch(
        self, character_ids: torch.Tensor, word_ids: Optional[torch.Tensor] = None
    ) -> SentenceBatch:
        """
        Checks padded ids and builds the batch that `forward` reads.

        # Parameters

        character_ids : `torch.Tensor`
            Shape (batch, timesteps, width), int64: words in the encoder's `spelling`.
        word_ids : `torch.Tensor`, optional (default = `None`)
            Shape (batch, timesteps), int64.

        # Returns

        `SentenceBatch`

        # Raises

        `ConfigurationError`
            When a shape, a dtype or an id is not as described in `SentenceBatch.from_padded`.
        """
        return SentenceBatch.from_padded(character_ids, self.spelling, word_ids)

    def forward(
        self, batch: SentenceBatch, num_representations: Optional[int] = None
    ) -> EncodedSentences:
        """
        Computes the layers of a batch.

        # Parameters

        batch : `SentenceBatch`
            The sentences, between boundaries.
        num_representations : `int`, optional (default = `None`)
            The number of layers to compute, from the first; all of them by default.

        # Returns

        `EncodedSentences`
        """
        raise NotImplementedError(f"{type(self).__name__} encodes nothing")
