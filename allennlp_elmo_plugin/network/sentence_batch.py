"""
A checked batch of sentences on its way into a biLM.
"""

from functools import lru_cache
from typing import List, Optional, Sequence, Union

import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.network.batch_shape import BatchShape
from allennlp_elmo_plugin.network.distinct_words import DistinctWords, distinct_words
from allennlp_elmo_plugin.network.spelling import ByteSpelling, Spelling
from allennlp_elmo_plugin.network.tensor_checks import INTEGERS, check_tensor
from allennlp_elmo_plugin.network.time_major import TimeMajorLayout

__all__ = ["BEGIN_OF_SENTENCE_ID", "END_OF_SENTENCE_ID", "SentenceBatch"]

# Word ids of the boundaries: no vocabulary has negative ones.
BEGIN_OF_SENTENCE_ID = -1
END_OF_SENTENCE_ID = -2


class SentenceBatch:
    """
    A batch of sentences, checked once.

    It knows the length of each row, adds `<S>` and `</S>` if it is told to, and returns its tokens
    in time-major order. Build one with `from_padded`.

    # Parameters

    character_ids : `torch.Tensor`
        Shape (batch, timesteps, width), int64: spelled words, padded, without the added boundaries.
        For a biLM with a dictionary, the first id of a word is its own.
    word_ids : `Optional[torch.Tensor]`
        Shape (batch, timesteps), int64, 0 at padded positions.
    num_tokens : `Sequence[int]`
        The number of tokens in each row, without the added boundaries.
    adds_boundaries : `bool`
        If `True`, `<S>` and `</S>` are added around the tokens of each row.
    spelling : `Spelling`, optional (default = the spelling by bytes)
        The way in which the words are spelled, and the added boundaries are.
    """

    def __init__(
        self,
        character_ids: torch.Tensor,
        word_ids: Optional[torch.Tensor],
        num_tokens: Sequence[int],
        adds_boundaries: bool,
        spelling: Optional[Spelling] = None,
    ) -> None:
        self.spelling = spelling or ByteSpelling(character_ids.size(-1))
        self.character_ids = character_ids
        self.word_ids = word_ids
        self.num_tokens = list(num_tokens)
        self.adds_boundaries = adds_boundaries
        self.shape = BatchShape.of(
            num_tokens, character_ids.size(1), adds_boundaries, character_ids.device
        )

    @classmethod
    def from_padded(
        cls,
        character_ids: torch.Tensor,
        spelling: Union[Spelling, int],
        word_ids: Optional[torch.Tensor] = None,
        adds_boundaries: bool = True,
    ) -> "SentenceBatch":
        """
        Checks padded ids and builds a batch of them.

        # Parameters

        character_ids : `torch.Tensor`
            Shape (batch, timesteps, width), int64: spelled words. A token of zeros is padding; the
            tokens of a row stand at its beginning.
        spelling : `Union[Spelling, int]`
            The way in which the words are spelled: `bilm.options.spelling`. A number is the width
            of the spelling by bytes.
        word_ids : `torch.Tensor`, optional (default = `None`)
            Shape (batch, timesteps), int64, with 0 exactly at padded positions.
        adds_boundaries : `bool`, optional (default = `True`)
            If `True`, `<S>` and `</S>` are added around the tokens of each row. `False` is for rows
            that hold their boundaries already.

        # Returns

        `SentenceBatch`

        # Raises

        `ConfigurationError`
            When a shape, a dtype or an id is not as described.
        """
        if isinstance(spelling, int):
            spelling = ByteSpelling(spelling)
        _check_form(character_ids, spelling, word_ids)
        num_tokens = _check_values(character_ids, spelling, word_ids)
        return cls(character_ids, word_ids, num_tokens, adds_boundaries, spelling)

    def __len__(self) -> int:
        return len(self.num_tokens)

    @property
    def lengths(self) -> List[int]:
        """The number of tokens that are run in each row, added boundaries included."""
        return list(self.shape.lengths)

    @property
    def timesteps(self) -> int:
        """The width of the batch, added boundaries included."""
        return self.shape.timesteps

    @property
    def ends(self) -> torch.Tensor:
        """
        Shape (batch,), int64: the number of tokens that are run in each row.

        Other batches may share the tensor, so do not write to it.
        """
        return self.shape.ends

    @property
    def mask(self) -> torch.Tensor:
        """Shape (batch, timesteps), bool, `True` = token, with the added boundaries. A copy."""
        return self.shape.mask.clone()

    @property
    def layout(self) -> TimeMajorLayout:
        """
        The time-major order of the tokens, added boundaries included.

        Other batches may share its tensors, so do not write to them.
        """
        return self.shape.layout

    def select(self, rows: Sequence[int]) -> "SentenceBatch":
        """
        Returns a batch of some rows, without checking them again.

        # Parameters

        rows : `Sequence[int]`
            Indices of the rows.

        # Returns

        `SentenceBatch`
        """
        index = torch.tensor(rows, dtype=torch.long, device=self.character_ids.device)
        return SentenceBatch(
            self.character_ids.index_select(0, index),
            None if self.word_ids is None else self.word_ids.index_select(0, index),
            [self.num_tokens[row] for row in rows],
            self.adds_boundaries,
            self.spelling,
        )

    def time_major_character_ids(self) -> torch.Tensor:
        """
        Returns the character ids of all tokens.

        # Returns

        `torch.Tensor`
            Shape (tokens, width), int64, time-major.
        """
        flat = self.character_ids.reshape(-1, self.character_ids.size(-1))
        if self.adds_boundaries:
            flat = torch.cat([flat, _boundary_characters(self.spelling).to(flat)])
        return flat.index_select(0, self.shape.sources)

    def distinct_words(self) -> DistinctWords:
        """
        Finds the distinct words among the tokens.

        # Returns

        `DistinctWords`
            Its `word_of_token` is time-major. Word ids are -1 for `<S>` and -2 for `</S>`.
        """
        if self.word_ids is None:
            return distinct_words(self.time_major_character_ids())
        flat = self.word_ids.reshape(-1)
        if self.adds_boundaries:
            flat = torch.cat([flat, flat.new_tensor([BEGIN_OF_SENTENCE_ID, END_OF_SENTENCE_ID])])
        return distinct_words(
            self.time_major_character_ids(), flat.index_select(0, self.shape.sources)
        )


@lru_cache(maxsize=8)
def _boundary_characters(spelling: Spelling) -> torch.Tensor:
    with torch.inference_mode(False):
        return torch.tensor(spelling.boundaries)


def _check_form(
    character_ids: torch.Tensor, spelling: Spelling, word_ids: Optional[torch.Tensor]
) -> None:
    check_tensor("character ids", character_ids, INTEGERS)
    if character_ids.dim() != 3:
        raise ConfigurationError(
            "Expected character ids of shape (batch, timesteps, characters), got shape "
            f"{tuple(character_ids.shape)}."
        )
    if character_ids.size(-1) != spelling.width:
        expected = " and ".join(f"{kind.number} {kind.contents}" for kind in spelling.columns)
        raise ConfigurationError(
            f"Expected {expected} per token, got {character_ids.size(-1)}. "
            f"{spelling.indexer_advice}"
        )
    if word_ids is None:
        return
    check_tensor("word ids", word_ids, INTEGERS, character_ids.device)
    if word_ids.shape != character_ids.shape[:-1]:
        raise ConfigurationError(
            f"Expected 'word_inputs' of shape {tuple(character_ids.shape[:-1])}, one id for each "
            f"token of 'elmo_tokens', got shape {tuple(word_ids.shape)}."
        )


def _check_values(
    character_ids: torch.Tensor, spelling: Spelling, word_ids: Optional[torch.Tensor]
) -> List[int]:
    """Checks the ids' values and returns the number of tokens in each row."""
    if not character_ids.numel():
        return [0] * len(character_ids)
    kinds = spelling.columns
    parts = character_ids.split([kind.number for kind in kinds], dim=-1)
    largest = [part.amax(dim=-1) for part in parts]
    # Each token has characters, which come last.
    mask = largest[-1] > 0
    facts = [
        *(fact for part, its in zip(parts, largest) for fact in (part.min(), its.max())),
        (mask[:, 1:] > mask[:, :-1]).sum(),
        *(() if word_ids is None else [((word_ids > 0) != mask).sum()]),
    ]
    # One transfer for all of them: on an accelerator each transfer stops the host.
    numbers = torch.cat([mask.sum(dim=1), torch.stack([fact.long() for fact in facts])]).tolist()
    lengths = numbers[: len(mask)]
    found = numbers[len(mask) :]
    for kind, lowest, highest in zip(kinds, found[::2], found[1::2]):
        if lowest < 0 or highest > kind.largest:
            raise ConfigurationError(
                f"Expected {kind.contents} from 0 to {kind.largest}, got ids from {lowest} to "
                f"{highest}. They should come from the 'elmo_characters' indexer; are these ids of "
                f"a vocabulary? {spelling.indexer_advice}"
            )
    holes, *disagreements = found[2 * len(kinds) :]
    if holes:
        raise ConfigurationError(
            "Expected the tokens of each row to stand at its beginning, but a token follows a "
            "position without one (all character ids 0). Remove masked tokens before embedding "
            "instead of setting their ids to 0."
        )
    if any(disagreements):
        raise ConfigurationError(
            "Expected 'word_inputs' to be 0 exactly where 'elmo_tokens' has no token, but "
            f"{disagreements[0]} positions differ. Word id 0 stands for padding: a word list for "
            "the vocabulary cache starts with an entry for it, as AllenNLP's vocabulary does."
        )
    return lengths
