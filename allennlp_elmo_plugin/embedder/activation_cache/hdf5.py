"""
The activation cache on disk.
"""

import os
from hashlib import blake2b
from time import perf_counter
from typing import Any, Dict, List, Optional

import numpy
import torch
from allennlp.common.checks import ConfigurationError
from overrides import overrides

from allennlp_elmo_plugin.embedder.activation_cache.base import ActivationCache
from allennlp_elmo_plugin.embedder.activation_cache.store import ActivationStore
from allennlp_elmo_plugin.embedder.encoder import ElmoEncoder, EncodedSentences

__all__ = ["Hdf5ActivationCache"]

DTYPES = ("float32", "float16")
GIGABYTE = 10**9
DIGEST_BYTES = 16


@ActivationCache.register("hdf5")
class Hdf5ActivationCache(ActivationCache):
    """
    Keeps the layers of whole sentences in HDF5 files, from one epoch and one run to the next, for
    training, validation, evaluation and prediction alike. A sentence is found by its characters,
    below a digest of all that shapes its layers (weights, options, precision, initial state), so
    that a model that changes never reads what another has written.

    Files appear when they are complete and are never changed, so that a process may be killed at
    any time, and several may use the folder at once. A damaged file is set aside.

    Registered as an `ActivationCache` with name "hdf5".

    # Parameters

    path : `str`
        A folder, made when it is missing. What belongs to one model lies in a subfolder, which
        may be deleted at any time.
    dtype : `str`, optional (default = `"float32"`)
        `"float16"` takes half the space and rounds each number to 11 significant bits (when it is
        computed as well, so that a sentence always has the same vectors).
    max_gigabytes : `float`, optional (default = `None`)
        The size of the folder, in units of 10**9 bytes, from which on nothing is written. A
        sentence of 20 words takes 270 kB in the published 2x4096_512 model, if all layers are
        read, and 68 kB in 2x1024_128. `None` is no limit.

    # Raises

    `ConfigurationError`
        When `path` is a file, or another parameter is not as described.
    """

    hits: int
    """How many sentences were found."""
    misses: int
    """How many sentences were computed."""

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
        self._max_bytes = None if max_gigabytes is None else max_gigabytes * GIGABYTE
        self._name = ""
        self._store: Optional[ActivationStore] = None
        self.hits = self.misses = 0
        self._words_read = 0
        self._seconds_reading = 0.0

    @overrides
    def check(self, encoder: ElmoEncoder) -> None:
        """
        # Parameters

        encoder : `ElmoEncoder`
            What computes the layers.

        # Raises

        `ConfigurationError`
            When a sentence's layers depend on more than the sentence, or have gradients.
        """
        impurity = encoder.impurity()
        if impurity is not None:
            raise ConfigurationError(
                "The activation cache 'hdf5' keeps what is the same each time, and a sentence's "
                f"layers are not: {impurity}. Change that, or use the activation cache 'none'."
            )

    @overrides
    def flush(self) -> None:
        """Writes what waits for a whole file."""
        if self._store is not None:
            self._store.flush()

    @overrides
    def summary(self) -> Optional[str]:
        """Sentences found and computed, the size of the folder, and the time that was saved."""
        if self._store is None:
            return None
        sentences = self.hits + self.misses
        computing = self._words_read * self._store.seconds / max(1, self._store.words)
        return (
            f"The activation cache '{self.path}' had {self.hits:,} of {sentences:,} sentences "
            f"({self.hits / max(1, sentences):.1%}); {self.misses:,} were computed. It holds "
            f"{self._store.num_bytes / 1e6:,.1f} MB, and saved about "
            f"{max(0.0, computing - self._seconds_reading):,.1f} s."
        )

    @overrides
    def train(self, mode: bool = True) -> "Hdf5ActivationCache":
        """
        Sets the mode, which changes with each epoch, and writes what waits.

        # Parameters

        mode : `bool`, optional (default = `True`)
            `True` is training, `False` is evaluation.
        """
        self.flush()
        return super().train(mode)

    @overrides
    def forward(
        self,
        encoder: ElmoEncoder,
        character_ids: torch.Tensor,
        word_ids: Optional[torch.Tensor],
        num_representations: int,
    ) -> EncodedSentences:
        """
        # Parameters

        encoder : `ElmoEncoder`
            What computes the layers of sentences that are not there.
        character_ids : `torch.Tensor`
            Shape (batch, timesteps, characters), int64.
        word_ids : `Optional[torch.Tensor]`
            Shape (batch, timesteps), int64.
        num_representations : `int`
            How many layers are wanted, from the first.

        # Returns

        `EncodedSentences`
            Float32, up to rounding what the encoder gives for these.

        # Raises

        `ConfigurationError`
            What `check` and the encoder raise.
        """
        self.check(encoder)
        if not _is_well_formed(character_ids, word_ids):
            return encoder(character_ids, word_ids, num_representations)
        store = self._store_of(encoder, num_representations)
        digests = _digests(character_ids, word_ids)
        started = perf_counter()
        layers = _find(store, digests)
        self._seconds_reading += perf_counter() - started
        missing = {digest: i for i, digest in enumerate(digests) if digest not in layers}
        self.misses += len(missing)
        self.hits += len(digests) - len(missing)
        self._words_read += sum(len(array) for array in layers.values())
        if missing:
            rows = torch.tensor(list(missing.values()), device=character_ids.device)
            started = perf_counter()
            # Each sentence is computed once, so that full precision costs little.
            with torch.autocast(character_ids.device.type, enabled=False):
                encoded = encoder(
                    character_ids[rows],
                    None if word_ids is None else word_ids[rows],
                    num_representations,
                )
            computed = dict(zip(missing, self._to_arrays(encoded)))
            store.add(computed, perf_counter() - started)
            layers.update(computed)

        started = perf_counter()
        encoded = _padded([layers[digest] for digest in digests], character_ids)
        self._seconds_reading += perf_counter() - started
        return encoded

    def _store_of(self, encoder: ElmoEncoder, num_representations: int) -> ActivationStore:
        name = f"{encoder.digest().hex()}-{num_representations}-{self.dtype}"
        if self._store is None or self._name != name:
            self.flush()
            self._name = name
            self._store = ActivationStore(self.path, name, self._max_bytes)
        return self._store

    def _to_arrays(self, encoded: EncodedSentences) -> List[numpy.ndarray]:
        """For each row, shape (words, num_representations, size)."""
        layers = encoded.layers.detach().permute(1, 2, 0, 3)
        arrays = layers.to("cpu", getattr(torch, self.dtype)).numpy()
        lengths = encoded.mask.sum(dim=1).tolist()
        return [array[:length].copy() for array, length in zip(arrays, lengths)]

    def __getstate__(self) -> Dict[str, Any]:
        # What waits is written by the one that computed it.
        return {**self.__dict__, "_store": None}


def _find(store: ActivationStore, digests: List[bytes]) -> Dict[bytes, numpy.ndarray]:
    found = {digest: store.get(digest) for digest in digests}
    if any(layers is None for layers in found.values()):
        store.refresh()
        found = {digest: store.get(digest) for digest in digests}
    return {digest: layers for digest, layers in found.items() if layers is not None}


def _is_well_formed(character_ids: torch.Tensor, word_ids: Optional[torch.Tensor]) -> bool:
    """Whether there are sentences to be found; the encoder tells what else may be wrong."""
    return (
        character_ids.dim() == 3
        and len(character_ids) > 0
        and character_ids.dtype == torch.int64
        and (
            word_ids is None
            or (word_ids.dtype == torch.int64 and word_ids.shape == character_ids.shape[:-1])
        )
    )


def _digests(character_ids: torch.Tensor, word_ids: Optional[torch.Tensor]) -> List[bytes]:
    """For each row, a digest of it without the padding at its end."""
    parts = [character_ids.cpu().numpy()]
    if word_ids is not None:
        parts.append(word_ids.cpu().numpy()[..., numpy.newaxis])
    ids = numpy.concatenate(parts, axis=-1)
    lengths = (ids.any(axis=-1) * numpy.arange(1, ids.shape[1] + 1)).max(axis=-1, initial=0)
    # Rows of other widths, with word ids or without, are told apart.
    salt = character_ids.size(-1).to_bytes(4, "little") + bytes([word_ids is not None])
    return [
        blake2b(row[:length].tobytes(), digest_size=DIGEST_BYTES, salt=salt).digest()
        for row, length in zip(ids, lengths)
    ]


def _padded(arrays: List[numpy.ndarray], character_ids: torch.Tensor) -> EncodedSentences:
    batch_size, timesteps, _ = character_ids.shape
    _, num_representations, size = arrays[0].shape
    # Layer by layer, so that a scalar mix is one product of matrices.
    shape = (num_representations, batch_size, timesteps + 2, size)
    padded = torch.empty(shape, dtype=torch.float32, device="cpu")
    rows = padded.numpy().transpose(1, 2, 0, 3)
    for row, array in zip(rows, arrays):
        row[: len(array)] = array
        row[len(array) :] = 0.0
    device = character_ids.device
    lengths = torch.tensor([len(array) for array in arrays], device=device)
    mask = torch.arange(timesteps + 2, device=device) < lengths.unsqueeze(1)
    return EncodedSentences(padded.to(device), mask)
