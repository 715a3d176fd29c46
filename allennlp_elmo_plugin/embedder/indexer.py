"""
The token indexer that spells tokens for ELMo.
"""

from typing import Any, Dict, List, Optional, Sequence

import numpy
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.common.util import pad_sequence_to_length
from allennlp.data import Token, TokenIndexer, Vocabulary
from allennlp.data.token_indexers import ELMoTokenCharactersIndexer
from allennlp.data.token_indexers.token_indexer import IndexedTokenList
from overrides import overrides

from allennlp_elmo_plugin.embedder.spelled_tokens import SpelledTokens, as_array
from allennlp_elmo_plugin.network.spelling import (
    MAX_CHARACTERS_PER_TOKEN,
    MIN_CHARACTERS_PER_TOKEN,
    NUM_CHARACTERS,
    cached_spellings,
)

__all__ = ["ElmoCharactersIndexer"]


# A subclass of the built-in, since AllenNLP's HotFlip attack asks for its class.
@TokenIndexer.register("elmo_characters", exist_ok=True)
class ElmoCharactersIndexer(ELMoTokenCharactersIndexer):
    """
    A token indexer that spells each token as character ids (`elmo_tokens`).

    With a `word_namespace` it also looks the token up in the vocabulary (`word_inputs`), for the
    vocabulary word cache.

    Registered as a `TokenIndexer` with name "elmo_characters", in place of the built-in.

    # Parameters

    namespace : `str`, optional (default = `"elmo_characters"`)
        Ignored: characters need no vocabulary. The built-in has the parameter.
    tokens_to_add : `Dict[str, int]`, optional (default = `None`)
        Tokens that are spelled by one symbol of their own, an id from 0 to 260 (ids that text
        hardly uses, such as 1 to 31, are best).
    token_min_padding_length : `int`, optional (default = `0`)
        Least number of tokens to pad to; see `TokenIndexer`.
    word_namespace : `str`, optional (default = `None`)
        Namespace of the vocabulary that the tokens are counted into and looked up in. `None` emits
        no `word_inputs`.
    max_characters_per_token : `int`, optional (default = `50`)
        The number of character ids of a token. Only a biLM whose options say so needs another.
    """

    def __init__(
        self,
        namespace: str = "elmo_characters",
        tokens_to_add: Optional[Dict[str, int]] = None,
        token_min_padding_length: int = 0,
        word_namespace: Optional[str] = None,
        max_characters_per_token: int = MAX_CHARACTERS_PER_TOKEN,
    ) -> None:
        for token, symbol in (tokens_to_add or {}).items():
            if not 0 <= symbol < NUM_CHARACTERS:
                raise ConfigurationError(
                    f"Expected ids from 0 to {NUM_CHARACTERS - 1} in 'tokens_to_add', got "
                    f"{symbol} for '{token}': a biLM has no other characters."
                )
        if max_characters_per_token < MIN_CHARACTERS_PER_TOKEN:
            raise ConfigurationError(
                f"Expected 'max_characters_per_token' to be at least {MIN_CHARACTERS_PER_TOKEN}, "
                f"got {max_characters_per_token}."
            )
        super().__init__(namespace, tokens_to_add or {}, token_min_padding_length)
        self._word_namespace = word_namespace
        self._max_characters_per_token = max_characters_per_token

    @overrides
    def count_vocab_items(self, token: Token, counter: Dict[str, Dict[str, int]]) -> None:
        """
        Counts the token into `word_namespace`, if there is one.

        # Parameters

        token : `Token`
            The token.
        counter : `Dict[str, Dict[str, int]]`
            From namespace to text to count.
        """
        if self._word_namespace is not None:
            counter[self._word_namespace][token.ensure_text()] += 1

    # The built-in promises lists of lists alone, and word ids are a list of numbers.
    @overrides(check_signature=False)
    def tokens_to_indices(self, tokens: List[Token], vocabulary: Vocabulary) -> IndexedTokenList:
        """
        Spells tokens.

        # Parameters

        tokens : `List[Token]`
            The tokens of one text.
        vocabulary : `Vocabulary`
            The vocabulary. Read only with a `word_namespace`.

        # Returns

        `IndexedTokenList`
            `elmo_tokens`: for each token, a list of `max_characters_per_token` ids from 1 to 261.
            With a `word_namespace` also `word_inputs`: for each token, its id in the vocabulary.
        """
        texts = [token.ensure_text() for token in tokens]
        symbols = frozenset(self._mapper.tokens_to_add.items())
        spellings = cached_spellings(self._max_characters_per_token, symbols)
        indexed: Dict[str, List] = {
            "elmo_tokens": SpelledTokens([spellings[text] for text in texts])
        }
        if self._word_namespace is not None:
            # The id of the padding token says that there is no token, whatever its text.
            indexed["word_inputs"] = [
                vocabulary.get_token_index(
                    vocabulary._oov_token if text == vocabulary._padding_token else text,
                    self._word_namespace,
                )
                for text in texts
            ]
        return indexed

    @overrides
    def get_empty_token_list(self) -> IndexedTokenList:
        """
        Returns the result of `tokens_to_indices` for no tokens.

        # Returns

        `IndexedTokenList`
        """
        empty: Dict[str, List] = {"elmo_tokens": []}
        if self._word_namespace is not None:
            empty["word_inputs"] = []
        return empty

    @overrides
    def as_padded_tensor_dict(
        self, tokens: IndexedTokenList, padding_lengths: Dict[str, int]
    ) -> Dict[str, torch.Tensor]:
        """
        Pads the ids of one text.

        # Parameters

        tokens : `IndexedTokenList`
            The result of `tokens_to_indices`, or lists or arrays of the same shape.
        padding_lengths : `Dict[str, int]`
            The number of tokens to pad to, for each key.

        # Returns

        `Dict[str, torch.Tensor]`
            `elmo_tokens`, of shape (timesteps, max_characters_per_token), and with a
            `word_namespace` also `word_inputs`, of shape (timesteps,); int64, 0 = no token.
        """
        tensors = {"elmo_tokens": self._pad(tokens["elmo_tokens"], padding_lengths["elmo_tokens"])}
        if self._word_namespace is not None:
            word_ids = pad_sequence_to_length(tokens["word_inputs"], padding_lengths["word_inputs"])
            tensors["word_inputs"] = torch.tensor(word_ids, dtype=torch.long)
        return tensors

    def _pad(self, tokens: Sequence[Any], timesteps: int) -> torch.Tensor:
        if len(tokens) == 0:
            return torch.zeros(timesteps, self._max_characters_per_token, dtype=torch.long)
        ids = as_array(tokens)[:timesteps]
        padded = numpy.zeros((timesteps, *ids.shape[1:]), dtype=numpy.int64)
        padded[: len(ids)] = ids
        return torch.from_numpy(padded)
