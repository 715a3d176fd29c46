"""
The vectors of the words that a biLM's dictionary has.
"""

from math import sqrt

import torch
from allennlp.common.checks import ConfigurationError
from torch.nn.functional import embedding, linear

from allennlp_elmo_plugin.network.options import ElmoOptions

__all__ = ["WordTable"]


class WordTable(torch.nn.Module):
    """
    The vectors of a dictionary's words, and their projection to the size of a token's vector.

    A biLM of ELMoForManyLangs adds it to the character CNN (Che et al., 2018).

    # Parameters

    options : `ElmoOptions`
        The shape of the biLM. The weights are random until some are loaded.
    """

    def __init__(self, options: ElmoOptions) -> None:
        super().__init__()
        dim = options.word_embedding_dim
        self.embedding = torch.nn.Parameter(torch.empty(options.num_words + 1, dim))
        """Shape (words + 1, word_embedding_dim): row 0 is 0 and stands for no word."""
        self.projection = torch.nn.Parameter(torch.empty(options.projection_dim, dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """
        Draws new weights.
        """
        torch.nn.init.uniform_(self.embedding, -1.0, 1.0)
        with torch.no_grad():
            self.embedding[0] = 0.0
        torch.nn.init.normal_(self.projection, std=1 / sqrt(self.projection.size(1)))

    def forward(self, word_ids: torch.Tensor) -> torch.Tensor:
        """
        Embeds words.

        # Parameters

        word_ids : `torch.Tensor`
            Shape (words,), int64, raised by one.

        # Returns

        `torch.Tensor`
            Shape (words, projection_dim), float.

        # Raises

        `ConfigurationError`
            When a word has no vector.
        """
        try:
            vectors = embedding(word_ids, self.embedding, padding_idx=0)
        except IndexError as error:
            raise ConfigurationError(
                f"Expected word ids from 0 to {len(self.embedding) - 1}, got others."
            ) from error
        return linear(vectors, self.projection)
