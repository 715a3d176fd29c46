"""
A warm-up text that is taken from the input.
"""

from itertools import islice
from typing import Iterable, List

from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.extraction.sentence import Sentence

__all__ = ["first_sentences"]

NUM_SENTENCES, NUM_TOKENS = 32, 512


def first_sentences(sentences: Iterable[Sentence]) -> List[str]:
    """
    Returns a warm-up text for the initial state `warm`.

    # Parameters

    sentences : `Iterable[Sentence]`
        The sentences of the input.

    # Returns

    `List[str]`
        The first 32 sentences with tokens, of each at most 512 tokens, separated by spaces.

    # Raises

    `ConfigurationError`
        If no sentence has tokens.
    """
    with_tokens = (sentence.tokens[:NUM_TOKENS] for sentence in sentences if sentence.tokens)
    texts = [" ".join(tokens) for tokens in islice(with_tokens, NUM_SENTENCES)]
    if not texts:
        raise ConfigurationError(
            "Expected a sentence with tokens to warm up the biLM, but the input has none."
        )
    return texts
