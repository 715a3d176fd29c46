"""
The word cache that holds the most recently used words.
"""

import logging
import sys
from collections import OrderedDict
from typing import List, Optional, Tuple

import torch
from allennlp.common.checks import ConfigurationError
from overrides import overrides

from allennlp_elmo_plugin.embedder.word_cache.base import WordCache
from allennlp_elmo_plugin.io.locks import ForkSafeLock, Once
from allennlp_elmo_plugin.network.char_cnn import CharCnn
from allennlp_elmo_plugin.network.derived_cache import DerivedCache

__all__ = ["LruWordCache"]

logger = logging.getLogger(__name__)

FIRST_ROWS = 1024


@WordCache.register("lru")
class LruWordCache(WordCache):
    """
    An LRU cache of word vectors, with the characters of a word as its cache key.

    It needs no word list. It is emptied when a weight of the character CNN changes, and is off
    while the weights require gradients. Its content is neither saved nor copied. Several threads
    may use it; a word that two of them miss at the same time is computed twice.

    Registered as a `WordCache` with name "lru".

    # Parameters

    capacity : `int`, optional (default = `65536`)
        The largest number of words in the cache; most corpora have fewer. Memory grows with the
        words that are used: a word of the published 2x4096_512 model takes about 2.3 kB.

    # Raises

    `ConfigurationError`
        When `capacity` is less than 1.
    """

    hits: int
    """The number of words that were in the cache, counted once for each batch."""
    misses: int
    """The number of words that were computed."""

    def __init__(self, capacity: int = 1 << 16) -> None:
        super().__init__()
        if capacity < 1:
            raise ConfigurationError(
                f"Expected the 'capacity' of the word cache 'lru' to be at least 1, got {capacity}."
                " Use the word cache 'none' to cache nothing."
            )
        self.capacity = capacity
        self.hits = self.misses = 0
        self._derived = DerivedCache()
        self._lock = ForkSafeLock()
        self._log_that_it_is_off = Once()

    @property
    def num_bytes(self) -> int:
        """The memory of the vectors and of their keys, in bytes."""
        with self._lock.current:
            return sum(vectors.num_bytes for vectors in self._derived.values())

    @overrides
    def forward(
        self, character_ids: torch.Tensor, word_ids: Optional[torch.Tensor], char_cnn: CharCnn
    ) -> torch.Tensor:
        """
        Returns the vectors of words.

        # Parameters

        character_ids : `torch.Tensor`
            Shape (words, characters), int64: distinct words.
        word_ids : `Optional[torch.Tensor]`
            Ignored.
        char_cnn : `CharCnn`
            The character CNN.

        # Returns

        `torch.Tensor`
            Shape (words, projection_dim), float, in the dtype of the weights, also under autocast.
        """
        weights = [*char_cnn.parameters(), *char_cnn.buffers()]
        if any(weight.requires_grad for weight in weights):
            self._turn_off()
            return char_cnn(character_ids)
        if not len(character_ids):
            return char_cnn(character_ids)
        vectors = self._derived.get("vectors", weights, lambda: _LruVectors(self.capacity))
        keys = _keys(character_ids)
        with self._lock.current:
            found, missing, cached = vectors.find(keys)
            self.hits += len(found)
            self.misses += len(missing)
        if cached is not None and not missing:
            return cached
        words = torch.tensor(missing, dtype=torch.long, device=character_ids.device)
        # Each word is computed once, so full precision costs nothing. The lock is free meanwhile,
        # so threads do not wait for each other's words.
        with torch.autocast(character_ids.device.type, enabled=False):
            computed = char_cnn(character_ids.index_select(0, words))
        with self._lock.current:
            vectors.insert([keys[position] for position in missing], computed)
        return computed if cached is None else _merge(found, cached, missing, computed)

    def _turn_off(self) -> None:
        self._derived.clear()
        if self._log_that_it_is_off.is_first():
            logger.info(
                "The word cache 'lru' is off while the character CNN is trained, or a tool wants "
                "its gradients: cached vectors have none."
            )


class _LruVectors:
    """
    A store of vectors by cache key, in the order of their use, the latest last.

    Its callers hold a lock. At each moment every key has its whole vector, since a process may be
    forked at any.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._vectors: Optional[torch.Tensor] = None
        self._rows: OrderedDict[bytes, int] = OrderedDict()
        self._free_rows: List[int] = []

    @property
    def num_bytes(self) -> int:
        if self._vectors is None:
            return 0
        vectors = self._vectors.numel() * self._vectors.element_size()
        return vectors + sum(sys.getsizeof(key) for key in self._rows)

    def find(self, keys: List[bytes]) -> Tuple[List[int], List[int], Optional[torch.Tensor]]:
        """Returns the positions of keys that are there, of those that are not, and the vectors."""
        found, missing, rows = [], [], []
        for position, key in enumerate(keys):
            row = self._rows.get(key)
            if row is None:
                missing.append(position)
            else:
                found.append(position)
                rows.append(row)
                self._rows.move_to_end(key)
        if self._vectors is None:
            return found, missing, None
        index = torch.tensor(rows, dtype=torch.long).to(self._vectors.device)
        # A copy, since another thread may evict the words later.
        return found, missing, self._vectors.index_select(0, index)

    def insert(self, keys: List[bytes], vectors: torch.Tensor) -> None:
        """Adds the last keys, up to the capacity, and evicts those that were used longest ago."""
        new = [position for position, key in enumerate(keys) if key not in self._rows]
        new = new[-self._capacity :]
        while len(self._rows) + len(new) > self._capacity:
            _, row = self._rows.popitem(last=False)
            self._free_rows.append(row)
        memory = self._make_room(vectors, len(new))
        rows = [self._free_rows.pop() for _ in new]
        memory[rows] = vectors if len(new) == len(keys) else vectors[new]
        self._rows.update(zip((keys[position] for position in new), rows))

    # Memory made in inference mode could not be written to outside of it.
    @torch.inference_mode(False)
    @torch.no_grad()
    def _make_room(self, like: torch.Tensor, num_rows: int) -> torch.Tensor:
        old = like.new_empty(0, like.size(1)) if self._vectors is None else self._vectors
        more = num_rows - len(self._free_rows)
        if more > 0 or self._vectors is None:
            size = max(len(old) + more, min(max(2 * len(old), FIRST_ROWS), self._capacity))
            larger = torch.empty(size, *old.shape[1:], dtype=old.dtype, device=old.device)
            larger[: len(old)] = old
            self._vectors = larger
            self._free_rows += range(len(old), size)
        return self._vectors


def _merge(
    found: List[int], cached: torch.Tensor, missing: List[int], computed: torch.Tensor
) -> torch.Tensor:
    """Returns cached and computed vectors, each at the position of its word."""
    merged = computed.new_empty(len(found) + len(missing), computed.size(1))
    merged[found] = cached
    merged[missing] = computed
    return merged


def _keys(character_ids: torch.Tensor) -> List[bytes]:
    # A dictionary may have millions of words, but not billions.
    short = character_ids.to(torch.int32).cpu().numpy()
    width = short.itemsize * short.shape[1]
    content = short.tobytes()
    return [content[start : start + width] for start in range(0, len(content), width)]
