"""
The word cache that keeps the words it has seen last.
"""

import logging
import sys
from collections import OrderedDict
from functools import partial
from typing import Iterable, List, Optional

import torch
from allennlp.common.checks import ConfigurationError
from overrides import overrides

from allennlp_elmo_plugin.embedder.word_cache.base import WordCache
from allennlp_elmo_plugin.network.derived_cache import DerivedCache

__all__ = ["LruWordCache"]

logger = logging.getLogger(__name__)

FIRST_ROWS = 1024


@WordCache.register("lru")
class LruWordCache(WordCache):
    """
    Keeps the vectors of the words seen last, by their characters: right for every word, and no
    list is needed. It starts anew when a weight of the character CNN changes, and is off while
    that is trained. What it keeps is neither saved nor copied.

    Registered as a `WordCache` with name "lru".

    # Parameters

    capacity : `int`, optional (default = `65536`)
        How many words to keep; most corpora have fewer. Memory grows with the words seen: a word
        of the published 2x4096_512 model takes about 2.3 kB.

    # Raises

    `ConfigurationError`
        When `capacity` is less than 1.
    """

    hits: int
    """How many words were found, those that came twice in a batch among them."""
    misses: int
    """How many words were computed."""

    def __init__(self, capacity: int = 1 << 16) -> None:
        super().__init__()
        if capacity < 1:
            raise ConfigurationError(
                f"Expected the 'capacity' of the word cache 'lru' to be at least 1, got {capacity}."
                " Use the word cache 'none' to keep nothing."
            )
        self.capacity = capacity
        self.hits = self.misses = 0
        self._tables = DerivedCache()
        self._said_to_be_off = False

    @property
    def num_bytes(self) -> int:
        """The memory of the vectors and of the characters that they are found by."""
        return sum(table.num_bytes for table in self._tables.values())

    @overrides
    def forward(
        self,
        character_ids: torch.Tensor,
        word_ids: Optional[torch.Tensor],
        embed: torch.nn.Module,
    ) -> torch.Tensor:
        """
        # Parameters

        character_ids : `torch.Tensor`
            Shape (words, characters), int64.
        word_ids : `Optional[torch.Tensor]`
            Not read.
        embed : `torch.nn.Module`
            The character CNN.

        # Returns

        `torch.Tensor`
            Shape (words, projection_dim), float, in the type of the weights, also under autocast.
        """
        weights = [*embed.parameters(), *embed.buffers()]
        if any(weight.requires_grad for weight in weights):
            self._turn_off()
            return embed(character_ids)
        no_vectors = embed(character_ids[:0])
        table = self._tables.get("table", weights, partial(_Table, self.capacity, no_vectors))
        keys = _keys(character_ids)
        place_of = dict(zip(keys, range(len(keys))))
        missing = [key for key in place_of if key not in table]
        self.misses += len(missing)
        self.hits += len(keys) - len(missing)
        if missing:
            places = character_ids.new_tensor([place_of[key] for key in missing])
            # Each word is computed once, so that full precision costs nothing.
            with torch.autocast(character_ids.device.type, enabled=False):
                table.insert(missing, embed(character_ids.index_select(0, places)))
        return table.look_up(keys)

    def _turn_off(self) -> None:
        self._tables.clear()
        if not self._said_to_be_off:
            logger.info(
                "The word cache 'lru' is off: the character CNN is trained, so that the vector of "
                "a word changes from step to step."
            )
            self._said_to_be_off = True


class _Table:
    """Vectors by key. Keys stand in the order of their use, the latest last."""

    def __init__(self, capacity: int, no_vectors: torch.Tensor) -> None:
        self._capacity = capacity
        self._vectors = no_vectors
        self._rows: OrderedDict[bytes, int] = OrderedDict()
        self._free_rows: List[int] = []

    @property
    def num_bytes(self) -> int:
        vectors = self._vectors.numel() * self._vectors.element_size()
        return vectors + sum(sys.getsizeof(key) for key in self._rows)

    def __contains__(self, key: bytes) -> bool:
        return key in self._rows

    def insert(self, keys: Iterable[bytes], vectors: torch.Tensor) -> None:
        """Keeps new vectors, more than the capacity if need be."""
        self._make_room(len(vectors))
        rows = [self._free_rows.pop() for _ in range(len(vectors))]
        self._vectors[rows] = vectors
        self._rows.update(zip(keys, rows))

    def look_up(self, keys: List[bytes]) -> torch.Tensor:
        """The vectors of keys that are all there; then forgets what is over the capacity."""
        rows = torch.tensor([self._rows[key] for key in keys], dtype=torch.long)
        vectors = self._vectors.index_select(0, rows.to(self._vectors.device))
        for key in keys:
            self._rows.move_to_end(key)
        while len(self._rows) > self._capacity:
            _, row = self._rows.popitem(last=False)
            self._free_rows.append(row)
        return vectors

    # What is made in inference mode could not be written to outside of it.
    @torch.inference_mode(False)
    @torch.no_grad()
    def _make_room(self, num_vectors: int) -> None:
        old, more = self._vectors, num_vectors - len(self._free_rows)
        if more > 0:
            size = max(len(old) + more, min(max(2 * len(old), FIRST_ROWS), self._capacity))
            self._vectors = torch.empty(size, *old.shape[1:], dtype=old.dtype, device=old.device)
            self._vectors[: len(old)] = old
            self._free_rows += range(len(old), size)


def _keys(character_ids: torch.Tensor) -> List[bytes]:
    # No id is above 262, so that two bytes keep it.
    short = character_ids.to(torch.int16).cpu().numpy()
    width = short.itemsize * short.shape[1]
    content = short.tobytes()
    return [content[start : start + width] for start in range(0, len(content), width)]
