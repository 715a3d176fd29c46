"""
Counts of the operations that a batch of sentences asks of the matrix products.
"""

from typing import List, NamedTuple

from allennlp_elmo_plugin import ElmoOptions
from benchmarks.sentences import Sentence

__all__ = ["Work", "count_work"]

DIRECTIONS = 2


class Work(NamedTuple):
    """
    What a batch asks of the matrix products. A multiplication and its addition are two operations;
    everything else (gates, biases, max-pooling, clips) is left out, and so are gradients. The
    convolutions count in full, though a table of what each character gives spares them their
    multiplications: what is reckoned from these counts is no strict bound on that part, which
    may be a fifth of the character CNN.

    # Parameters

    operations_at_once : `int`
        What needs no state, so that it can be done for all tokens together. With P, C and F for
        `projection_dim`, `cell_size` and the number of filters of the biLM:

        - for each token, sentence boundaries included: the gates' share of the layer's input,
          2 * 4 * C * P for each layer and direction;
        - for each distinct word of the batch, the two boundaries included: 2 * D * width * number
          for each convolution (with D for `char_embedding_dim`) and position, 2 * 2 * F * F for
          each highway, 2 * F * P for the projection. The positions are those that hold a
          character of the longest word, its two edges included, and one of nothing but padding
          behind, but never more than `max_characters_per_token` admits.
    operations_per_row : `int`
        What a row asks of one step of one layer in one direction: 2 * (4 * C * P + C * P), the
        gates' share of the state and the projection of the cell.
    weights_per_step : `int`
        The weights that such a step reads, however many rows it has: 4 * C * P + C * P.
    rows : `List[int]`
        The number of rows that each step has, for all steps of one layer in one direction. A row
        has as many steps as tokens, sentence boundaries included.
    layers : `int`
        The number of layers in both directions together.
    """

    operations_at_once: int
    operations_per_row: int
    weights_per_step: int
    rows: List[int]
    layers: int


def count_work(options: ElmoOptions, batch: List[Sentence]) -> Work:
    """
    # Parameters

    options : `ElmoOptions`
        The shape of the biLM, which has the projections that are optional.
    batch : `List[Sentence]`

    # Returns

    `Work`
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
        weights_per_step=5 * cell * projection,
        rows=[sum(length > step for length in lengths) for step in range(max(lengths))],
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
