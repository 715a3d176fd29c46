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

from allennlp_elmo_plugin.archive.facts import find_facts
from allennlp_elmo_plugin.embedder.bilm_encoder import BilmEncoder
from allennlp_elmo_plugin.embedder.spelled_tokens import SpelledTokens, as_array
from allennlp_elmo_plugin.network.options import ElmoOptions
from allennlp_elmo_plugin.network.spelling import (
    MAX_CHARACTERS_PER_TOKEN,
    MIN_CHARACTERS_PER_TOKEN,
    NUM_CHARACTERS,
    ByteSpelling,
    Spelling,
    cached_spellings,
)
from allennlp_elmo_plugin.weights import read_spelling

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
    options_file, weight_file : `str`, optional (default = `None`)
        The files of the biLM, with the same values as in the embedder. Tokens are then spelled as
        this biLM reads them. Required for a biLM with a dictionary, such as those of
        ELMoForManyLangs. An archive of a trained model holds the dictionary, too.
    serialization_dir : `str`, optional (default = `None`)
        Folder of an archive that is being loaded. It holds the spelling, so neither file is needed.
        AllenNLP fills it in.

    # Raises

    `ConfigurationError`
        When a value is not as described, when a file is missing, damaged or does not fit, or when
        `tokens_to_add` or `max_characters_per_token` are given beside files.
    """

    def __init__(
        self,
        namespace: str = "elmo_characters",
        tokens_to_add: Optional[Dict[str, int]] = None,
        token_min_padding_length: int = 0,
        word_namespace: Optional[str] = None,
        max_characters_per_token: int = MAX_CHARACTERS_PER_TOKEN,
        options_file: Optional[str] = None,
        weight_file: Optional[str] = None,
        serialization_dir: Optional[str] = None,
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
        self._spelling_of_bilm: Optional[Spelling] = None
        if options_file is None and weight_file is None:
            return
        if options_file is None or weight_file is None:
            raise ConfigurationError(
                "Expected both 'options_file' and 'weight_file' of a biLM, or neither. Give the "
                "indexer the same two values as the embedder."
            )
        if tokens_to_add or max_characters_per_token != MAX_CHARACTERS_PER_TOKEN:
            raise ConfigurationError(
                "Got 'options_file' with 'tokens_to_add' or 'max_characters_per_token', but the "
                "files say how the biLM spells tokens. Leave the other two out."
            )
        self._spelling_of_bilm = _spelling_of(options_file, weight_file, serialization_dir)

    @classmethod
    def from_spelling(cls, spelling: Spelling) -> "ElmoCharactersIndexer":
        """
        Builds an indexer for a biLM that is loaded already.

        # Parameters

        spelling : `Spelling`
            The way to spell tokens: `bilm.options.spelling`.

        # Returns

        `ElmoCharactersIndexer`
        """
        indexer = cls()
        indexer._spelling_of_bilm = spelling
        return indexer

    @property
    def spelling(self) -> Spelling:
        """The way to spell tokens."""
        if self._spelling_of_bilm is not None:
            return self._spelling_of_bilm
        symbols = frozenset(self._mapper.tokens_to_add.items())
        return ByteSpelling(self._max_characters_per_token, symbols)

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
            `elmo_tokens`: for each token, a list of `spelling.width` ids, from 1 up. With a
            `word_namespace` also `word_inputs`: for each token, its id in the vocabulary.
        """
        texts = [token.ensure_text() for token in tokens]
        spellings = cached_spellings(self.spelling)
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
            `elmo_tokens`, of shape (timesteps, spelling.width), and with a
            `word_namespace` also `word_inputs`, of shape (timesteps,); int64, 0 = no token.
        """
        tensors = {"elmo_tokens": self._pad(tokens["elmo_tokens"], padding_lengths["elmo_tokens"])}
        if self._word_namespace is not None:
            word_ids = pad_sequence_to_length(tokens["word_inputs"], padding_lengths["word_inputs"])
            tensors["word_inputs"] = torch.tensor(word_ids, dtype=torch.long)
        return tensors

    def _pad(self, tokens: Sequence[Any], timesteps: int) -> torch.Tensor:
        if len(tokens) == 0:
            return torch.zeros(timesteps, self.spelling.width, dtype=torch.long)
        ids = as_array(tokens)[:timesteps]
        padded = numpy.zeros((timesteps, *ids.shape[1:]), dtype=numpy.int64)
        padded[: len(ids)] = ids
        return torch.from_numpy(padded)


def _spelling_of(options_file: str, weight_file: str, serialization_dir: Optional[str]) -> Spelling:
    """Returns the spelling of a biLM, from an archive or from its files."""
    files = {"options_file": str(options_file), "weight_file": str(weight_file)}
    archived = find_facts(serialization_dir, BilmEncoder.component, **files)
    if archived is not None:
        return ElmoOptions.from_fields(archived.get("options", {})).spelling
    return read_spelling(options_file, weight_file)
