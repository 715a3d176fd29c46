"""
Counts of the operations that matrix products need for a batch of sentences.
"""

from typing import List, NamedTuple

from allennlp_elmo_plugin import ElmoOptions
from benchmarks.sentences import Sentence

__all__ = ["Work", "count_work"]

DIRECTIONS = 2


class Work(NamedTuple):
    """
    Operations of a batch in matrix products.

    A multiplication and its addition are two operations. Gates, biases, max-pooling, clips and
    gradients do not count. Convolutions count in full, although the kernels look up the products
    of every character with every filter and only add them. A limit that is computed from these
    counts is therefore no strict bound on the convolutions, which may be a fifth of the character
    CNN.

    The formulas have P, C and F for `projection_dim`, `cell_size` and the number of filters of the
    biLM, and D for `char_embedding_dim`.

    # Parameters

    operations_at_once : `int`
        Operations that need no state, so that all tokens can share one product:

        - for each token, sentence boundaries included, the gates' share of the layer's input:
          2 * 4 * C * P for each layer and direction;
        - for each distinct word of the batch, the two boundaries included: 2 * D * width * number
          for each convolution and filter position, 2 * 2 * F * F for each highway, and 2 * F * P
          for the projection. Filter positions are those that hold a character of the longest word
          or one of its two edges, and one that holds only padding, but never more than
          `max_characters_per_token` admits.
    operations_per_row : `int`
        Operations of one row at one timestep of one layer in one direction, for the gates' share of
        the state and the projection of the cell: 2 * (4 * C * P + C * P).
    weights_per_timestep : `int`
        Number of weights that such a timestep reads for all its rows: 4 * C * P + C * P.
    rows : `List[int]`
        Number of rows at each timestep. A row has as many timesteps as tokens, sentence boundaries
        included.
    layers : `int`
        Number of layers of both directions together.
    """

    operations_at_once: int
    operations_per_row: int
    weights_per_timestep: int
    rows: List[int]
    layers: int


def count_work(options: ElmoOptions, batch: List[Sentence]) -> Work:
    """
    Counts the operations of a batch.

    # Parameters

    options : `ElmoOptions`
        Shape of a biLM that has both optional projections.
    batch : `List[Sentence]`
        Sentences of the batch.

    # Returns

    `Work`
        Operations of the batch.
    """
    cell, projection = options.cell_size, options.projection_dim
    layers = DIRECTIONS * options.num_layers
    lengths = [len(sentence) + 2 for sentence in batch]
    words = {word for sentence in batch for word in sentence}
    longest = max((len(word.encode("utf-8")) + 2 for word in words), default=3)
    return Work(
        operations_at_once=sum(lengths) * layers * 2 * 4 * cell * projection
        + (len(words) + 2) * _operations_per_word(options, longest),
        operations_per_row=2 * 5 * cell * projection,
        weights_per_timestep=5 * cell * projection,
        rows=[sum(length > timestep for length in lengths) for timestep in range(max(lengths))],
        layers=layers,
    )


def _operations_per_word(options: ElmoOptions, longest: int) -> int:
    convolutions = 0
    for width, number in options.filters:
        positions = min(longest + 1, options.max_characters_per_token - width + 1)
        convolutions += positions * 2 * options.char_embedding_dim * width * number
    filters = options.num_filters
    highways = options.num_highways * 2 * filters * 2 * filters
    return convolutions + highways + 2 * filters * options.projection_dim
