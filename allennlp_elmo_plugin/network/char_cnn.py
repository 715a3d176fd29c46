"""
The character CNN, which computes a word's vector from its spelling alone.

A biLM with a dictionary adds the vector that the dictionary's table has for the word.
"""

from math import sqrt
from typing import Callable, Dict, List, Optional, cast

import torch
from allennlp.common.checks import ConfigurationError
from torch.nn.functional import embedding, relu

from allennlp_elmo_plugin.kernels import (
    CharacterProducts,
    Kernels,
    character_products,
    kernel_convolutions,
    kernels_for,
)
from allennlp_elmo_plugin.network.derived_cache import DerivedCache
from allennlp_elmo_plugin.network.highway import HighwayStack
from allennlp_elmo_plugin.network.kernel_linear import KernelLinear
from allennlp_elmo_plugin.network.options import ElmoOptions
from allennlp_elmo_plugin.network.reduced_precision import needs_gradients, stored_tensors
from allennlp_elmo_plugin.network.word_table import WordTable

__all__ = ["CharCnn"]

ACTIVATIONS: Dict[str, Callable[[torch.Tensor], torch.Tensor]] = {"relu": relu, "tanh": torch.tanh}

MAX_KEPT_CHARACTERS = 1024
"""Largest number of characters whose products with the filters are kept, in about 50 MB."""


class CharCnn(torch.nn.Module):
    """
    A character CNN that embeds words by their spelling.

    It has convolutions of several widths, max-pooling over the filter positions, highway layers and
    a projection (Peters et al., 2018; Kim et al., 2016). For a biLM with a dictionary it also adds
    the vectors of the dictionary's words (Che et al., 2018).

    # Parameters

    options : `ElmoOptions`
        The shape of the biLM. The weights are random until some are loaded.
    """

    def __init__(self, options: ElmoOptions) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[options.activation]
        self.widest_filter = max(width for width, _ in options.filters)
        self.num_filters = [number for _, number in options.filters]
        # The names and the order of AllenNLP's `_ElmoCharacterEncoder`.
        self._char_embedding_weights = torch.nn.Parameter(
            torch.empty(options.num_characters + 1, options.char_embedding_dim)
        )
        for i, (width, number) in enumerate(options.filters):
            convolution = torch.nn.Conv1d(options.char_embedding_dim, number, width)
            self.add_module(f"char_conv_{i}", convolution)
        self._highways = HighwayStack(options.num_filters, options.num_highways)
        self._projection: torch.nn.Module = torch.nn.Identity()
        if options.word_projection:
            self._projection = KernelLinear(options.num_filters, options.projection_dim)
        self._word_table = WordTable(options) if options.num_words else None
        self.projection_dim = options.projection_dim
        self.padding = options.spelling.padding
        self.derived = DerivedCache()
        self.reset_parameters()

    @property
    def char_embedding(self) -> torch.nn.Parameter:
        """Shape (characters, char_embedding_dim): row 0 is 0 and stands for no character."""
        return self._char_embedding_weights

    @property
    def convolutions(self) -> List[torch.nn.Conv1d]:
        """The convolutions of each width."""
        named = [self._modules[f"char_conv_{i}"] for i in range(len(self.num_filters))]
        return [cast(torch.nn.Conv1d, convolution) for convolution in named]

    @property
    def projection(self) -> torch.nn.Module:
        """The projection, a `KernelLinear`, or `torch.nn.Identity` where a biLM has none."""
        return self._projection

    @property
    def word_table(self) -> Optional[WordTable]:
        """The vectors of the dictionary's words, or `None` for a biLM without a dictionary."""
        return self._word_table

    def reset_parameters(self) -> None:
        """
        Draws new weights, as bilm-tf does before training.
        """
        torch.nn.init.uniform_(self.char_embedding, -1.0, 1.0)
        with torch.no_grad():
            self.char_embedding[0] = 0.0
        for convolution in self.convolutions:
            if self.activation is torch.tanh:
                std = 1 / sqrt(convolution.weight[0].numel())
                torch.nn.init.normal_(convolution.weight, std=std)
            else:
                torch.nn.init.uniform_(convolution.weight, -0.05, 0.05)
            torch.nn.init.zeros_(cast(torch.nn.Parameter, convolution.bias))
        if isinstance(self.projection, KernelLinear):
            std = 1 / sqrt(self.projection.weight.size(1))
            torch.nn.init.normal_(self.projection.weight, std=std)
            torch.nn.init.zeros_(self.projection.bias)

    def forward(self, spelled: torch.Tensor) -> torch.Tensor:
        """
        Embeds words.

        Each row is computed, so pass distinct words.

        # Parameters

        spelled : `torch.Tensor`
            Shape (words, width), int64: character ids, behind the word's id if the biLM has a
            dictionary.

        # Returns

        `torch.Tensor`
            Shape (words, projection_dim), float32.

        # Raises

        `ConfigurationError`
            When a character or a word has no vector.
        """
        if not len(spelled):
            return self.char_embedding.new_zeros(0, self.projection_dim)
        if self.word_table is None:
            return self._embed_characters(spelled)
        return self._embed_characters(spelled[:, 1:]) + self.word_table(spelled[:, 0])

    def _embed_characters(self, character_ids: torch.Tensor) -> torch.Tensor:
        kernels = kernels_for(self.char_embedding, character_ids, *self.num_filters)
        if kernels is not None:
            pooled = self._pool_with(kernels, character_ids)
        else:
            self.derived.clear()
            characters = self._embedded(self._trimmed(character_ids)).transpose(1, 2)
            pooled = torch.cat(
                [convolution(characters).max(dim=-1).values for convolution in self.convolutions], 1
            )
        return self.projection(self._highways(self.activation(pooled)))

    def _pool_with(self, kernels: Kernels, character_ids: torch.Tensor) -> torch.Tensor:
        if len(self.char_embedding) <= MAX_KEPT_CHARACTERS:
            products = self._character_products()
            return kernel_convolutions(kernels, character_ids, products, self.padding)
        # The products of all characters would take gigabytes, those of a batch are few.
        present, places = character_ids.unique(return_inverse=True)
        products = self._products_with(self._embedded(present))
        place_of_padding = (present == self.padding).nonzero()
        padding = int(place_of_padding) if len(place_of_padding) else len(present)
        return kernel_convolutions(kernels, places, products, padding)

    def _embedded(self, words: torch.Tensor) -> torch.Tensor:
        try:
            return embedding(words, self.char_embedding, padding_idx=0)
        except IndexError as error:
            raise ConfigurationError(
                f"Expected characters from 0 to {len(self.char_embedding) - 1}, got others."
            ) from error

    def _trimmed(self, words: torch.Tensor) -> torch.Tensor:
        # Padding takes part in the max-pooling through its learned vector: as long as each filter
        # still sees one position of nothing but padding, the columns behind it change nothing.
        used = (words != self.padding).any(dim=0).nonzero()
        longest = int(used[-1]) + 1 if len(used) else 0
        return words[:, : longest + self.widest_filter]

    def _character_products(self) -> List[CharacterProducts]:
        characters = self.char_embedding
        if needs_gradients(self):
            self.derived.clear()
            # Row 0 stands for no character, so it is not trained.
            trained = torch.cat([characters[:1].detach(), characters[1:]])
            return self._products_with(trained)
        # Twice as fast as `parameters`, which also makes names.
        parameters: List[torch.Tensor] = [characters]
        for convolution in self.convolutions:
            parameters += stored_tensors(convolution)
        return self.derived.get(
            "character products", parameters, lambda: self._products_with(characters)
        )

    def _products_with(self, characters: torch.Tensor) -> List[CharacterProducts]:
        return [
            character_products(characters, *convolution.parameters())
            for convolution in self.convolutions
        ]
