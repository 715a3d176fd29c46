"""
The parameters of a biLM with a dictionary, and their shapes.

No other program reads the file of such a biLM. So it holds the parameters as PyTorch has them, and
reading them takes a third of the time that bilm-tf's layout takes.
"""

from typing import Dict, Tuple

from allennlp_elmo_plugin.network.options import ElmoOptions

__all__ = ["parameter_shapes"]


def parameter_shapes(options: ElmoOptions) -> Dict[str, Tuple[int, ...]]:
    """
    Returns the parameters of an `ElmoBilm` with a dictionary.

    # Parameters

    options : `ElmoOptions`
        Options of the biLM.

    # Returns

    `Dict[str, Tuple[int, ...]]`
        The shape of each parameter by its name in the state dict.
    """
    dim, cell_size, size = options.projection_dim, options.cell_size, options.num_filters
    char_dim, word_dim = options.char_embedding_dim, options.word_embedding_dim
    shapes: Dict[str, Tuple[int, ...]] = {
        "_token_embedder._char_embedding_weights": (options.num_characters + 1, char_dim),
        "_token_embedder._projection.weight": (dim, size),
        "_token_embedder._projection.bias": (dim,),
        "_token_embedder._word_table.embedding": (options.num_words + 1, word_dim),
        "_token_embedder._word_table.projection": (dim, word_dim),
    }
    for i, (width, number) in enumerate(options.filters):
        name = f"_token_embedder.char_conv_{i}."
        shapes[name + "weight"] = (number, char_dim, width)
        shapes[name + "bias"] = (number,)
    for k in range(options.num_highways):
        name = f"_token_embedder._highways._layers.{k}."
        shapes[name + "weight"] = (2 * size, size)
        shapes[name + "bias"] = (2 * size,)
    for direction in ("forward", "backward"):
        for k in range(options.num_layers):
            name = f"_elmo_lstm.{direction}_layer_{k}."
            shapes[name + "input_linearity.weight"] = (4 * cell_size, dim)
            shapes[name + "state_linearity.weight"] = (4 * cell_size, dim)
            shapes[name + "state_linearity.bias"] = (4 * cell_size,)
            shapes[name + "state_projection.weight"] = (dim, cell_size)
    return shapes
