"""
Reading the way in which a biLM spells words, without its weights.
"""

import os
from typing import Union

from allennlp_elmo_plugin.network.spelling import Spelling
from allennlp_elmo_plugin.weights.locations import find_options_file
from allennlp_elmo_plugin.weights.open_weights import open_weights, read_options

__all__ = ["read_spelling"]


def read_spelling(
    options_file: Union[str, "os.PathLike[str]"], weight_file: Union[str, "os.PathLike[str]"]
) -> Spelling:
    """
    Reads the way in which a biLM spells words.

    # Parameters

    options_file, weight_file : `Union[str, PathLike]`
        As for `open_weights`. The weight file is opened only if it has a dictionary.

    # Returns

    `Spelling`

    # Raises

    `ConfigurationError`
        When a file is missing, damaged, or does not fit the other.
    """
    path = find_options_file(options_file)
    options = read_options(path)
    if options.num_words and options.dictionary is None:
        with open_weights(options_file, weight_file) as file:
            options = file.options
    return options.spelling
