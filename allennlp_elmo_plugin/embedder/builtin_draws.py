"""
The random draws that AllenNLP's class makes when it builds a biLM.

It first gives each layer random values, and then the file's. So these draws decide where the layers
that are built after the biLM start, and which elements the first dropout drops.
"""

import torch

from allennlp_elmo_plugin.network.options import ElmoOptions

__all__ = ["make_builtin_draws"]

GATES = 4

# Small enough for a processor's cache.
MAX_PAIRS = 2**14

# `normal_` fills groups of this many elements, and smaller tensors one by one.
NORMAL_GROUP = 16


def make_builtin_draws(options: ElmoOptions) -> None:
    """
    Advances PyTorch's random generator as AllenNLP's class does when it builds a biLM.

    The generator's state then is the same to the bit. Nothing is drawn for a biLM that AllenNLP's
    class refuses.

    # Parameters

    options : `ElmoOptions`
        The shape of the biLM.
    """
    if not (options.use_skip_connections and options.state_projection and options.word_projection):
        return
    filters, projection, cell = options.num_filters, options.projection_dim, options.cell_size
    convolutions = [
        _linear(width * options.char_embedding_dim, number) for width, number in options.filters
    ]
    highways = options.num_highways * _linear(filters, 2 * filters)
    _skip(sum(convolutions) + highways + _linear(filters, projection))
    for _ in range(2 * options.num_layers):
        gates_of_input = _linear(projection, GATES * cell, bias=False)
        gates_of_hidden = _linear(projection, GATES * cell)
        _skip(gates_of_input + gates_of_hidden + _linear(cell, projection, bias=False))
        # The gates' matrices are drawn again, to be orthogonal.
        for _ in range(2 * GATES):
            _draw_normal(cell * projection)


def _linear(num_inputs: int, num_outputs: int, bias: bool = True) -> int:
    """Returns the number of draws of a linear layer or a convolution."""
    return num_outputs * (num_inputs + bias)


def _draw_normal(num_elements: int) -> None:
    """Advances the generator as `normal_` does for a tensor of this size."""
    if num_elements < NORMAL_GROUP:
        # Elements are made in pairs, and the generator keeps one that is left over.
        torch.empty(num_elements).normal_()
        return
    # A last group that would be too small is filled again, with elements of the one before.
    _skip(num_elements + (NORMAL_GROUP if num_elements % NORMAL_GROUP else 0))


def _skip(num_draws: int) -> None:
    """Advances the generator by this many numbers of 32 bits."""
    # An int64 takes two, which is faster.
    num_pairs, num_single = divmod(num_draws, 2)
    scratch = torch.empty(min(num_pairs, MAX_PAIRS), dtype=torch.int64)
    while num_pairs:
        size = min(num_pairs, MAX_PAIRS)
        scratch[:size].random_()
        num_pairs -= size
    torch.empty(num_single, dtype=torch.int32).random_()
