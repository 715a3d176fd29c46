"""All layers of a biLM for two sentences, without an encoder around it."""

import torch

from allennlp_elmo_plugin import ElmoBilm
from allennlp_elmo_plugin.network.time_major import TimeMajorLayout
from tests.support.sentences import spell_words
from tests.support.words import WORD_LIST

__all__ = ["all_layers"]


def all_layers(bilm: ElmoBilm) -> torch.Tensor:
    """
    Runs a biLM over sentences of five and of three words, from a state of zeros.

    # Parameters

    bilm : `ElmoBilm`
        The network, for words of 50 characters.

    # Returns

    `torch.Tensor`
        Shape (num_representations, 2, 5, 2 * projection_dim), float.
    """
    layout = TimeMajorLayout.from_lengths([5, 3], 5, torch.device("cpu"))
    with torch.no_grad():
        vectors = bilm.char_cnn(spell_words(WORD_LIST[:9]))
        # The second sentence begins with the last word of the first.
        tokens = torch.cat([vectors[:5], vectors[4:]])
        inputs = layout.in_reading_order(tokens[layout.positions])
        outputs, _ = bilm(inputs, layout, bilm.zero_state(2))
    return layout.pad(torch.stack([inputs, *outputs]))
