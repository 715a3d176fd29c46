"""
The activation cache on disk.
"""

import logging
import os
from hashlib import blake2b
from time import perf_counter
from typing import Any, Dict, List, Optional

import numpy
import torch
from allennlp.common.checks import ConfigurationError
from overrides import overrides

from allennlp_elmo_plugin.embedder.activation_cache.base import ActivationCache
from allennlp_elmo_plugin.embedder.activation_cache.layer_rows import LayerRows
from allennlp_elmo_plugin.embedder.activation_cache.segment import FORMAT_VERSION
from allennlp_elmo_plugin.embedder.activation_cache.store import ActivationStore
from allennlp_elmo_plugin.embedder.encoder import ElmoEncoder, EncodedSentences
from allennlp_elmo_plugin.io.locks import ForkSafeLock
from allennlp_elmo_plugin.network.reduced_precision import needs_gradients
from allennlp_elmo_plugin.network.sentence_batch import SentenceBatch

__all__ = ["Hdf5ActivationCache"]

logger = logging.getLogger(__name__)

DTYPES = ("float32", "float16")
GIGABYTE = 10**9
MAX_GIGABYTES = 10**12
DIGEST_BYTES = 16


@ActivationCache.register("hdf5")
class Hdf5ActivationCache(ActivationCache):
    """
    A cache of the layers of whole sentences in HDF5 files.

    It works across epochs and runs, for training, validation, evaluation and prediction alike. The
    cache key of a sentence is its characters. It is looked up below a digest of everything that
    shapes its layers (weights, options, precision, initial state), so a changed model never reads
    the layers of another.

    Files appear when they are complete and are never changed. A process may be killed at any time.
    Several processes may use the folder at once, and several threads the cache. A damaged file is
    renamed and no longer read.

    Registered as an `ActivationCache` with name "hdf5".

    # Parameters

    path : `str`
        Path of a folder, made when it is missing. Each model has a subfolder of its own, which may
        be deleted at any time.
    dtype : `str`, optional (default = `"float32"`)
        Dtype of the stored numbers. `"float16"` takes half the space and rounds each number to 11
        significant bits, on a miss as well, so a sentence always has the same vectors.
    max_gigabytes : `float`, optional (default = `None`)
        The size of the folder, in units of 10**9 bytes, at which writing stops. A sentence of 20
        tokens takes 225 kB in the published 2x4096_512 model, if all layers are read, and 56 kB in
        2x1024_128. `None` is no limit.

    # Raises

    `ConfigurationError`
        When `path` is a file, or another parameter is not as described.
    """

    hits: int
    """The number of sentences that were in the cache."""
    misses: int
    """The number of sentences that were computed."""

    def __init__(
        self, path: str, dtype: str = "float32", max_gigabytes: Optional[float] = None
    ) -> None:
        super().__init__()
        if os.path.exists(path) and not os.path.isdir(path):
            raise ConfigurationError(
                f"Expected 'path' of the activation cache to be a folder, but '{path}' is a file. "
                "Name another, or move it away."
            )
        if dtype not in DTYPES:
            raise ConfigurationError(
                f"Expected 'dtype' of the activation cache to be from {list(DTYPES)}, got "
                f"'{dtype}'."
            )
        if max_gigabytes is not None and not max_gigabytes > 0:
            raise ConfigurationError(
                "Expected 'max_gigabytes' of the activation cache to be more than 0, got "
                f"{max_gigabytes}. Leave it out for no limit."
            )
        self.path, self.dtype = path, dtype
        # No disk is larger than the limit, and floats are.
        self._max_bytes = None
        if max_gigabytes is not None and max_gigabytes < MAX_GIGABYTES:
            self._max_bytes = max_gigabytes * GIGABYTE
        self._lock = ForkSafeLock()
        self._name = ""
        self._store: Optional[ActivationStore] = None
        self.hits = self.misses = 0
        self._tokens_read = 0
        self._seconds_reading = 0.0
        self._logged_that_it_is_off = False

    @overrides
    def require_cacheable(self, encoder: ElmoEncoder) -> None:
        """
        Raises an error for an encoder whose layers cannot be cached.

        # Parameters

        encoder : `ElmoEncoder`
            The encoder that computes the layers.

        # Raises

        `ConfigurationError`
            When a sentence's layers depend on more than the sentence, or the encoder is trained.
        """
        reason = encoder.uncacheable_reason()
        if any(parameter.requires_grad for parameter in encoder.parameters()):
            reason = "the encoder is trained ('requires_grad')"
        _refuse(reason)

    @overrides
    def flush(self) -> None:
        """Writes the layers that wait in memory for a whole file."""
        store = self._store
        if store is not None:
            store.flush()

    @overrides
    def summary(self) -> Optional[str]:
        """Returns a sentence on hits, misses, the size of the folder and the time saved."""
        store = self._store
        if store is None:
            return None
        sentences = self.hits + self.misses
        computing = self._tokens_read * store.seconds / max(1, store.num_tokens)
        return (
            f"The activation cache '{self.path}' had {self.hits:,} of {sentences:,} sentences "
            f"({self.hits / max(1, sentences):.1%}); {self.misses:,} were computed. It holds "
            f"{store.num_bytes / 1e6:,.1f} MB, and saved about "
            f"{max(0.0, computing - self._seconds_reading):,.1f} s."
        )

    @overrides
    def train(self, mode: bool = True) -> "Hdf5ActivationCache":
        """
        Sets the mode, which changes with each epoch, and writes the layers that wait in memory.

        # Parameters

        mode : `bool`, optional (default = `True`)
            `True` for training, `False` for evaluation.

        # Returns

        `Hdf5ActivationCache`
            The cache itself.
        """
        self.flush()
        return super().train(mode)

    @overrides
    def forward(
        self, encoder: ElmoEncoder, batch: SentenceBatch, num_representations: int
    ) -> EncodedSentences:
        """
        Returns the layers of a batch, from the folder or from the encoder.

        Cached layers have no gradients. When autograd follows the encoder, because a tool for
        interpretation wants gradients from a frozen model for example, the encoder computes every
        sentence, and nothing is stored.

        # Parameters

        encoder : `ElmoEncoder`
            The encoder that computes the layers of sentences that are not in the cache.
        batch : `SentenceBatch`
            The sentences.
        num_representations : `int`
            The number of layers to return, from the first.

        # Returns

        `EncodedSentences`
            The encoder's layers in float32, rounded to `dtype` unless they have gradients.

        # Raises

        `ConfigurationError`
            When a sentence's layers depend on more than the sentence, or when the encoder raises
            one for the batch.
        """
        if needs_gradients(encoder):
            self._log_that_it_is_off()
            return encoder(batch, num_representations)
        _refuse(encoder.uncacheable_reason())
        if not len(batch):
            return encoder(batch, num_representations)
        converter = LayerRows(
            num_representations, encoder.get_output_dim(), encoder.doubles_token_layer, self.dtype
        )
        digest = encoder.digest()
        store = self._store_of(digest, converter)
        started = perf_counter()
        keys = _cache_keys(batch)
        lengths = dict(zip(keys, batch.lengths))
        found = store.find(lengths)
        if len(found) < len(lengths):
            store.refresh()
            found.update(store.find({key: lengths[key] for key in keys if key not in found}))
        # Rows with the same key are computed once.
        missing = {key: row for row, key in enumerate(keys) if key not in found}
        with self._lock.current:
            self._seconds_reading += perf_counter() - started
            self.misses += len(missing)
            self.hits += len(keys) - len(missing)
            self._tokens_read += sum(len(rows) for rows in found.values())
        if missing:
            started = perf_counter()
            uncached = batch.select(list(missing.values()))
            # Each sentence is computed once, so full precision costs little.
            with torch.autocast(batch.character_ids.device.type, enabled=False):
                encoded = encoder(uncached, num_representations)
            computed = dict(zip(missing, converter.from_layers(encoded, uncached.lengths)))
            # If another thread loads weights meanwhile, the layers may belong to no model.
            if encoder.digest() == digest:
                store.add(computed, perf_counter() - started)
            found.update(computed)
        started = perf_counter()
        layers = converter.to_layers([found[key] for key in keys], batch.timesteps)
        with self._lock.current:
            self._seconds_reading += perf_counter() - started
        return EncodedSentences(layers.to(batch.character_ids.device), batch.mask)

    def _log_that_it_is_off(self) -> None:
        if not self._logged_that_it_is_off:
            logger.info(
                "The activation cache '%s' is off while gradients of the encoder are computed.",
                self.path,
            )
            self._logged_that_it_is_off = True

    def _store_of(self, digest: bytes, converter: LayerRows) -> ActivationStore:
        layers, dtype = converter.num_representations, self.dtype
        name = f"{digest.hex()}-{layers}-{dtype}-v{FORMAT_VERSION}"
        with self._lock.current:
            if self._store is None or self._name != name:
                self.flush()
                self._name = name
                self._store = ActivationStore(
                    self.path, name, dtype, converter.row_size, self._max_bytes
                )
            return self._store

    def __getstate__(self) -> Dict[str, Any]:
        # Waiting layers are written by the process that computed them.
        return {**self.__dict__, "_store": None}


def _refuse(reason: Optional[str]) -> None:
    if reason is not None:
        raise ConfigurationError(
            "The activation cache 'hdf5' needs an encoder whose layers depend on the sentence "
            f"alone, but {reason}. Change that, or use the activation cache 'none'."
        )


def _cache_keys(batch: SentenceBatch) -> List[bytes]:
    """Returns a digest of the characters, and of the word ids if there are any, for each row."""
    # Two bytes hold the ids of bytes, but not those of a large dictionary.
    dtype = torch.int16 if batch.spelling.largest_id < 1 << 15 else torch.int32
    characters = batch.character_ids.to(dtype).cpu().numpy()
    word_ids = None if batch.word_ids is None else batch.word_ids.cpu().numpy().astype("int64")
    # Tells apart rows of another width, with word ids or without.
    salt = characters.shape[-1].to_bytes(4, "little") + bytes([word_ids is not None])
    keys = []
    for row, length in enumerate(batch.num_tokens):
        content = numpy.ascontiguousarray(characters[row, :length])
        key = blake2b(content.data, digest_size=DIGEST_BYTES, salt=salt)
        if word_ids is not None:
            key.update(numpy.ascontiguousarray(word_ids[row, :length]).data)
        keys.append(key.digest())
    return keys
