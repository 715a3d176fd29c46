"""
A batch of sentences on its way into a biLM: checked, with boundary words, without padding.
"""

from typing import List, NamedTuple, Optional

import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.network.spelling import (
    BEGIN_OF_SENTENCE_TOKEN,
    END_OF_SENTENCE_TOKEN,
    NUM_CHARACTERS,
    spell_word,
)

__all__ = ["BEGIN_OF_SENTENCE_ID", "END_OF_SENTENCE_ID", "Sentences"]

# Word ids of the boundaries: no vocabulary has negative ones.
BEGIN_OF_SENTENCE_ID = -1
END_OF_SENTENCE_ID = -2


class Sentences(NamedTuple):
    """
    The words of a batch, row by row, each row between `<S>` and `</S>`.

    # Parameters

    character_ids : `torch.Tensor`
        Shape (words, characters), int64.
    word_ids : `Optional[torch.Tensor]`
        Shape (words,), int64, with -1 for `<S>` and -2 for `</S>`.
    lengths : `List[int]`
        The number of words in each row, its two boundaries included.
    mask : `torch.Tensor`
        Shape (batch, timesteps + 2), bool. True = word.
    """

    character_ids: torch.Tensor
    word_ids: Optional[torch.Tensor]
    lengths: List[int]
    mask: torch.Tensor

    @classmethod
    def from_padded(
        cls, character_ids: torch.Tensor, width: int, word_ids: Optional[torch.Tensor] = None
    ) -> "Sentences":
        """
        # Parameters

        character_ids : `torch.Tensor`
            Shape (batch, timesteps, characters), int64. A token of zeros is no token; tokens
            stand at the beginning of their row.
        width : `int`
            The `max_characters_per_token` of the biLM.
        word_ids : `torch.Tensor`, optional (default = `None`)
            Shape (batch, timesteps), int64, with 0 exactly where there is no token.

        # Returns

        `Sentences`

        # Raises

        `ConfigurationError`
            When a shape, a type or an id is not as described.
        """
        _check_form(character_ids, width, word_ids)
        lengths = _checked_lengths(character_ids, word_ids)
        batch_size, timesteps, _ = character_ids.shape
        ends = torch.tensor(lengths, dtype=torch.long, device=character_ids.device) + 1
        mask = torch.arange(timesteps + 2, device=character_ids.device) <= ends.unsqueeze(1)
        rows = torch.arange(batch_size, device=character_ids.device)

        def bounded(padded: torch.Tensor, begin: torch.Tensor, end: torch.Tensor) -> torch.Tensor:
            result = padded.new_zeros(batch_size, timesteps + 2, *padded.shape[2:])
            result[:, 1:-1] = padded
            result[:, 0] = begin.to(padded)
            result[rows, ends] = end.to(padded)
            return result[mask]

        begin, end = (
            torch.tensor(spell_word(word, width))
            for word in (BEGIN_OF_SENTENCE_TOKEN, END_OF_SENTENCE_TOKEN)
        )
        bounded_word_ids = None
        if word_ids is not None:
            bounded_word_ids = bounded(
                word_ids, torch.tensor(BEGIN_OF_SENTENCE_ID), torch.tensor(END_OF_SENTENCE_ID)
            )
        return cls(
            character_ids=bounded(character_ids, begin, end),
            word_ids=bounded_word_ids,
            lengths=[length + 2 for length in lengths],
            mask=mask,
        )

    def pad(self, vectors: torch.Tensor) -> torch.Tensor:
        """
        # Parameters

        vectors : `torch.Tensor`
            Shape (words, size), float: a vector for each word.

        # Returns

        `torch.Tensor`
            Shape (batch, timesteps + 2, size), float, exactly 0 where there is no word.
        """
        padded = vectors.new_zeros(*self.mask.shape, vectors.size(-1))
        return padded.masked_scatter(self.mask.unsqueeze(-1), vectors)


def _check_form(character_ids: torch.Tensor, width: int, word_ids: Optional[torch.Tensor]) -> None:
    if character_ids.dim() != 3:
        raise ConfigurationError(
            "Expected character ids of shape (batch, timesteps, characters), got shape "
            f"{tuple(character_ids.shape)}."
        )
    if character_ids.size(-1) != width:
        raise ConfigurationError(
            f"Expected {width} character ids per token, which is 'max_characters_per_token' in "
            f"the options of this biLM, got {character_ids.size(-1)}. Give the 'elmo_characters' "
            f"indexer 'max_characters_per_token': {width}."
        )
    for name, ids in (("character ids", character_ids), ("word ids", word_ids)):
        if ids is not None and ids.dtype not in (torch.int64, torch.int32):
            raise ConfigurationError(f"Expected {name} of type torch.int64, got {ids.dtype}.")
    if word_ids is not None and word_ids.shape != character_ids.shape[:-1]:
        raise ConfigurationError(
            f"Expected 'word_inputs' of shape {tuple(character_ids.shape[:-1])}, one id for each "
            f"token of 'elmo_tokens', got shape {tuple(word_ids.shape)}."
        )


def _checked_lengths(character_ids: torch.Tensor, word_ids: Optional[torch.Tensor]) -> List[int]:
    """The number of tokens in each row, after all checks that look at values."""
    if not character_ids.numel():
        return [0] * len(character_ids)
    mask = (character_ids > 0).any(dim=-1)
    facts = [
        character_ids.min(),
        character_ids.max(),
        (mask[:, 1:] & ~mask[:, :-1]).sum(),
        mask.new_zeros(()) if word_ids is None else ((word_ids > 0) != mask).sum(),
    ]
    # One transfer for all of them: on an accelerator each would stop the host.
    lowest, highest, holes, disagreements, *lengths = torch.cat(
        [torch.stack([fact.long() for fact in facts]), mask.sum(dim=1)]
    ).tolist()
    if lowest < 0 or highest > NUM_CHARACTERS:
        raise ConfigurationError(
            f"Expected character ids from 0 to {NUM_CHARACTERS}, got ids from {lowest} to "
            f"{highest}. They should come from the 'elmo_characters' indexer; are these word ids, "
            "or is there an entry over 260 in its 'tokens_to_add'?"
        )
    if holes:
        raise ConfigurationError(
            "Expected the tokens of each row to stand at its beginning, but some token follows a "
            "place without one (all character ids 0). Remove masked tokens before embedding, "
            "rather than setting their ids to 0."
        )
    if disagreements:
        raise ConfigurationError(
            "Expected 'word_inputs' to be 0 exactly where 'elmo_tokens' has no token, but "
            f"{disagreements} places differ. Word id 0 stands for padding: a word list for the "
            "vocabulary cache starts with an entry for it, as AllenNLP's vocabulary does."
        )
    return lengths
