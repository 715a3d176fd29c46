"""
A patch for the attack `hotflip` on models whose only token indexer is ELMo's.

HotFlip replaces a token by a word of the vocabulary, but a model that reads characters needs no
vocabulary of words. It also asks for the ids of the tokens to flip, and such a model has none.
"""

import logging
from copy import deepcopy
from types import SimpleNamespace
from typing import Any, Callable, Dict, Sequence

import torch
from allennlp.interpret.attackers import hotflip
from allennlp.interpret.attackers.hotflip import Hotflip
from allennlp.nn import util

from allennlp_elmo_plugin.patches.methods import Method, replace_method

__all__ = ["patch_hotflip"]

logger = logging.getLogger(__name__)


def _patch(words: Sequence[str]) -> Callable[[Method], Method]:
    """Makes the patch of a constructor, with the words for a vocabulary that has none."""

    def patch(construct: Method) -> Method:
        def patched(self: Hotflip, *args: Any, **kwargs: Any) -> None:
            construct(self, *args, **kwargs)
            if self.vocab.get_vocab_size(self.namespace) <= len(self.invalid_replacement_indices):
                logger.warning(
                    "The vocabulary has no words in the namespace '%s', so HotFlip chooses among "
                    "%d common words of English. To choose others, add them with "
                    "Vocabulary.add_tokens_to_namespace before you make the attacker.",
                    self.namespace,
                    len(words),
                )
                # The model keeps its vocabulary.
                self.vocab = deepcopy(self.vocab)
                self.vocab.add_tokens_to_namespace(list(words), self.namespace)

        return patched

    return patch


def _token_ids(text_field_tensors: Dict[str, Dict[str, torch.Tensor]]) -> torch.Tensor:
    """Returns the ids of tokens, or zeros if ELMo's characters are all that is there."""
    try:
        return util.get_token_ids_from_text_field_tensors(text_field_tensors)
    except NotImplementedError:
        for tensors in text_field_tensors.values():
            if "elmo_tokens" in tensors:
                # HotFlip adds the score of the token to that of each word alike, so it finds the
                # same word with any id.
                return tensors["elmo_tokens"].new_zeros(len(tensors["elmo_tokens"]))
        raise


def patch_hotflip(words: Sequence[str]) -> None:
    """
    Lets `Hotflip` attack models that read characters alone.

    Models with a vocabulary of words and token ids are attacked as before. Only `Hotflip` sees the
    other ids: elsewhere AllenNLP's function still raises its error.

    # Parameters

    words : `Sequence[str]`
        The words to choose from where the vocabulary has none.
    """
    replace_method(Hotflip, "__init__", _patch(words))
    functions = {**vars(util), "get_token_ids_from_text_field_tensors": _token_ids}
    hotflip.util = SimpleNamespace(**functions)  # type: ignore[assignment]
