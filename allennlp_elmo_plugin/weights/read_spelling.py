"""
Reading the way in which a biLM spells words, without its weights.
"""

import os
from typing import Union

from allennlp_elmo_plugin.network.options import ElmoOptions
from allennlp_elmo_plugin.network.spelling import Spelling
from allennlp_elmo_plugin.weights.locations import find_options_file
from allennlp_elmo_plugin.weights.many_langs import is_many_langs, many_langs_options
from allennlp_elmo_plugin.weights.open_weights import open_weights

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
    if is_many_langs(path):
        return many_langs_options(path.parent).spelling
    options = ElmoOptions.from_file(path)
    if options.num_words:
        with open_weights(options_file, weight_file) as file:
            options = file.options
    return options.spelling
