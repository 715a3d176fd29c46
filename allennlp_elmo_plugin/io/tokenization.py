"""
spaCy's rules for splitting text, which need neither a trained model nor a network.
"""

import spacy
from allennlp.common.checks import ConfigurationError
from spacy.language import Language

__all__ = ["load_rules"]


def load_rules(language: str) -> Language:
    """
    # Parameters

    language : `str`
        spaCy's code of a language (`"xx"` fits many).

    # Returns

    `Language`
        A pipeline of nothing but the language's tokenizer.

    # Raises

    `ConfigurationError`
        If spaCy has no such language, or lacks a package for it.
    """
    try:
        return spacy.blank(language)
    except ImportError as error:
        raise ConfigurationError(
            f'language: spaCy has no tokenizer for "{language}" here: {error}'
        ) from error
