"""
The character CNN: a word's vector from its spelling alone.
"""

from functools import partial
from math import sqrt
from typing import Callable, Dict, List, Tuple

import torch
from torch.nn.functional import relu

from allennlp_elmo_plugin.kernels import CharacterProducts, character_products, kernel_convolutions
from allennlp_elmo_plugin.network.kernel_linear import Linear
from allennlp_elmo_plugin.network.options import ElmoOptions
from allennlp_elmo_plugin.network.packable import Packable
from allennlp_elmo_plugin.network.spelling import NUM_CHARACTERS, PADDING

__all__ = ["CharCnn", "Highway"]

# Odd, and without a pattern: 2 ** 64 divided by the golden ratio, as a signed number.
MIX = -7046029254386353131

ACTIVATIONS: Dict[str, Callable[[torch.Tensor], torch.Tensor]] = {"relu": relu, "tanh": torch.tanh}


class Highway(Linear):
    """
    A highway layer: `gate * x + (1 - gate) * relu(W x + b)`.

    `weight`, of shape (2 * size, size), and `bias`, of shape (2 * size,), hold the transform
    first and the gate second. The gate is the complement of bilm-tf's carry gate, as AllenNLP
    has it.

    # Parameters

    size : `int`
        The size of the vectors.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size, 2 * size)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """
        Draws new weights, as bilm-tf does before it trains: its carry gate has a bias of -2, so
        that the layer lets most of its input through.
        """
        _, size = self.weight.shape
        torch.nn.init.normal_(self.weight, std=1 / sqrt(size))
        torch.nn.init.zeros_(self.bias)
        with torch.no_grad():
            self.bias[size:] = 2.0

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """
        # Parameters

        vectors : `torch.Tensor`
            Shape (words, size), float.

        # Returns

        `torch.Tensor`
            Shape (words, size), float.
        """
        transform, gate = super().forward(vectors).chunk(2, dim=-1)
        gate = torch.sigmoid(gate)
        return gate * vectors + (1 - gate) * relu(transform)


def _distinct(words: torch.Tensor) -> Tuple[torch.Tensor, torch.Tensor]:
    """The different words, and where each is among them."""
    # Sorting one number for each word is far faster than sorting rows.
    factors = torch.arange(1, words.size(1) + 1, device=words.device) * MIX
    keys, inverse = (words * (factors ^ (factors >> 29))).sum(dim=1).unique(return_inverse=True)
    places = torch.arange(len(words), device=words.device)
    distinct = words[torch.zeros_like(keys).scatter_(0, inverse, places)]
    if torch.equal(distinct[inverse], words):
        return distinct, inverse
    # Two words with the same number.
    return torch.unique(words, dim=0, return_inverse=True)


class CharCnn(Packable):
    """
    Embeds words by their characters: convolutions of several widths, max-pooling over the
    positions, highway layers and a projection (Peters et al., 2018; Kim et al., 2016).

    # Parameters

    options : `ElmoOptions`
        The shape of the biLM. The weights are random until some are loaded.
    """

    projection: torch.nn.Module

    def __init__(self, options: ElmoOptions) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[options.activation]
        self.widest_filter = max(width for width, _ in options.filters)
        self.num_filters = [number for _, number in options.filters]
        self.char_embedding = torch.nn.Embedding(
            NUM_CHARACTERS + 1, options.char_embedding_dim, padding_idx=0
        )
        self.convolutions = torch.nn.ModuleList(
            torch.nn.Conv1d(options.char_embedding_dim, number, width)
            for width, number in options.filters
        )
        self.highways = torch.nn.ModuleList(
            Highway(options.num_filters) for _ in range(options.num_highways)
        )
        self.projection = torch.nn.Identity()
        if options.word_projection:
            self.projection = Linear(options.num_filters, options.projection_dim)
        self.projection_dim = options.projection_dim
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """
        Draws new weights, as bilm-tf does before it trains.
        """
        torch.nn.init.uniform_(self.char_embedding.weight, -1.0, 1.0)
        with torch.no_grad():
            self.char_embedding.weight[0] = 0.0
        for parameter in self.convolutions.parameters():
            if parameter.dim() == 1:
                torch.nn.init.zeros_(parameter)
            elif self.activation is torch.tanh:
                torch.nn.init.normal_(parameter, std=1 / sqrt(parameter[0].numel()))
            else:
                torch.nn.init.uniform_(parameter, -0.05, 0.05)
        if isinstance(self.projection, Linear):
            std = 1 / sqrt(self.projection.weight.size(1))
            torch.nn.init.normal_(self.projection.weight, std=std)
            torch.nn.init.zeros_(self.projection.bias)

    def forward(self, character_ids: torch.Tensor) -> torch.Tensor:
        """
        # Parameters

        character_ids : `torch.Tensor`
            Shape (words, characters), int64.

        # Returns

        `torch.Tensor`
            Shape (words, projection_dim), float32.
        """
        if not len(character_ids):
            return self.char_embedding.weight.new_zeros(0, self.projection_dim)
        words, inverse = _distinct(character_ids)
        kernels = self.choose_kernels(self.char_embedding.weight, words, *self.num_filters)
        if kernels is None:
            self.derived.clear()
            characters = self.char_embedding(self._cut(words)).transpose(1, 2)
            pooled = torch.cat(
                [conv(characters).max(dim=-1).values for conv in self.convolutions], 1
            )
        else:
            pooled = kernel_convolutions(kernels, words, self._tables(), PADDING + 1)
        vectors = self.activation(pooled)
        for highway in self.highways:
            vectors = highway(vectors)
        return self.projection(vectors)[inverse]

    def _cut(self, words: torch.Tensor) -> torch.Tensor:
        # Padding takes part in the max-pooling through its learned vector: as long as each filter
        # still sees one window of nothing but padding, the columns behind it change nothing.
        used = (words != PADDING + 1).any(dim=0).nonzero()
        longest = int(used[-1]) + 1 if len(used) else 0
        return words[:, : longest + self.widest_filter]

    def _tables(self) -> List[CharacterProducts]:
        if self.needs_gradients():
            self.derived.clear()
            # Of a row that stands for no character there is nothing to learn.
            characters = torch.cat(
                [self.char_embedding.weight[:1].detach(), self.char_embedding.weight[1:]]
            )
            return [
                character_products(characters, *convolution.parameters())
                for convolution in self.convolutions
            ]
        tables = []
        for i, convolution in enumerate(self.convolutions):
            made_of = (self.char_embedding.weight, *convolution.parameters())
            make = partial(character_products, *made_of)
            tables.append(self.derived.get(f"convolution {i}", made_of, make))
        return tables
