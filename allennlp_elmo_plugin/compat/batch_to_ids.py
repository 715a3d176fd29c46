"""
AllenNLP's function that spells a batch of sentences.
"""

from typing import Sequence

import torch

from allennlp_elmo_plugin.network.spelling import spell_sentences

__all__ = ["batch_to_ids"]


def batch_to_ids(batch: Sequence[Sequence[str]]) -> torch.Tensor:
    """
    Spells a batch of tokenized sentences for an `Elmo`, as AllenNLP's function of this name does.

    `spell_sentences` does the same for biLMs whose tokens have another number of characters.

    # Parameters

    batch : `Sequence[Sequence[str]]`
        The tokens of each sentence. Sentences may be empty.

    # Returns

    `torch.Tensor`
        Shape (batch, timesteps, 50), int64, 0 = no token. Timesteps are the tokens of the longest
        sentence.

    # Raises

    `ConfigurationError`
        When a token is not a text.
    """
    return spell_sentences(batch)
