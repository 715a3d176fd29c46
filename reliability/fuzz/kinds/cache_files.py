"""
Files of the activation cache: damaged, and crafted with right checksums.
"""

import os
import shutil
import struct
import warnings
from pathlib import Path
from random import Random
from typing import Any, Callable, Dict, List, Tuple
from zlib import crc32

import h5py
import numpy
import torch
from overrides import overrides

from allennlp_elmo_plugin import BilmEncoder, ElmoBilm, ElmoOptions, Hdf5ActivationCache, ZeroState
from allennlp_elmo_plugin.network.sentence_batch import SentenceBatch
from allennlp_elmo_plugin.network.spelling import spell_sentences
from reliability.fuzz.damage import damage, overwrite
from reliability.fuzz.kind import Kind, require
from reliability.fuzz.odd_files import place_odd_file

__all__ = ["CacheFilesKind"]

OPTIONS = ElmoOptions(
    filters=((2, 4),), projection_dim=3, cell_size=4, num_layers=1, max_characters_per_token=8
)
SENTENCES = (("a",), ("rain", "falls"), ("the", "sun", "shines"), ("it", "is", "late", "."), ())
NUMBERS = (-(2**63), -1, 0, 1, 2, 2**31, 2**40, 2**62, 2**63 - 1)

TOLERANCE = 1e-5

Content = Dict[str, Any]


class CacheFilesKind(Kind):
    """
    Files in the folder of an activation cache.

    Whatever the files are, the cache gives the encoder's own layers, and no error. Only numbers
    that are forged together with their checksum cannot be told from honest ones; none are made.
    """

    name = "cache_files"
    cases = 2000

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            bilm = ElmoBilm(OPTIONS)
        self._encoder = BilmEncoder(bilm, ZeroState()).eval()
        ids = spell_sentences([list(words) for words in SENTENCES], 8)
        self._batch = SentenceBatch.from_padded(ids, 8)
        self._expected = self._layers(folder / "cache")
        (self._file,) = (folder / "cache").rglob("*.hdf5")
        self._content = self._file.read_bytes()
        self._arrays = _read(self._file)

    @overrides
    def run(self, random: Random, folder: Path) -> None:
        cache = folder / "cache"
        place = cache / self._file.parent.name
        place.mkdir(parents=True)
        for number in range(random.choice((1, 1, 1, 2, 5))):
            name = f"{random.getrandbits(128):032x}.hdf5"
            draw = random.random()
            if draw < 0.04:
                place_odd_file(random, place / name)
            elif draw < 0.5:
                change = random.choice((damage, overwrite))
                (place / name).write_bytes(change(random, self._content))
            else:
                (place / name).write_bytes(self._crafted(random, folder / f"{number}.hdf5"))
        if random.random() < 0.1:
            shutil.copy(self._file, place)
        if random.random() < 0.05:
            place_odd_file(random, place / "leftover.partial")
        for _ in range(2):
            # Sentences that are computed in another batch are rounded otherwise.
            near = torch.allclose(self._layers(cache), self._expected, atol=TOLERANCE)
            require(near, "layers other than the encoder's")

    def _layers(self, cache: Path) -> torch.Tensor:
        """Returns the layers by a new cache over a folder, twice the same."""
        activations = Hdf5ActivationCache(str(cache))
        with torch.no_grad():
            first, mask = activations(self._encoder, self._batch, OPTIONS.num_representations)
            activations.flush()
            again, _ = activations(self._encoder, self._batch, OPTIONS.num_representations)
        require(torch.equal(first, again), "a sentence has other layers the second time")
        require(torch.equal(mask, self._batch.mask), "another mask")
        activations.summary()
        return first

    def _crafted(self, random: Random, path: Path) -> bytes:
        """Returns a file with changed datasets and right checksums."""
        content = {name: value.copy() for name, value in self._arrays.items()}
        storage: Dict[str, Dict[str, Any]] = {}
        for _ in range(random.choice((1, 1, 2, 3))):
            random.choice(_CHANGES)(random, content, storage)
        _correct_checksums(content, self._arrays)
        _write(path, content, storage)
        image = path.read_bytes()
        start, size = _place_of_layers(path)
        if random.random() < 0.1:
            start = random.choice((0, 1, start + 4, len(image), 2**40, 2**64 - 1))
        if random.random() < 0.1:
            size = random.choice((0, 1, size + 4, len(image), 2**40, 2**64 - 1))
        checksum = crc32(image[start + size :], crc32(image[:start]))
        return image + struct.pack("<QQI8s", start, size, checksum, b"elmo_act")


def _read(path: Path) -> Content:
    with h5py.File(path, "r") as file:
        content: Content = {name: dataset[()] for name, dataset in file.items()}
        attributes = {f"@{name}": numpy.asarray(value) for name, value in file.attrs.items()}
    return {**content, **attributes}


def _write(path: Path, content: Content, storage: Dict[str, Dict[str, Any]]) -> None:
    with h5py.File(path, "w") as file:
        for name, value in content.items():
            if name.startswith("@"):
                # h5py has no type for an array of text.
                file.attrs[name[1:]] = value.item() if value.dtype.kind in "OSU" else value
            elif value.dtype == object:
                file.create_group(name)
            else:
                # Only arrays can have chunks.
                options = storage.get(name, {}) if value.ndim and value.size else {}
                file.create_dataset(name, data=value, **options)


def _place_of_layers(path: Path) -> Tuple[int, int]:
    with h5py.File(path, "r") as file:
        layers = file.get("layers")
        if not isinstance(layers, h5py.Dataset) or layers.id.get_offset() is None:
            return os.path.getsize(path), 0
        return layers.id.get_offset(), layers.nbytes


def _correct_checksums(content: Content, honest: Content) -> None:
    """Makes the checksum right of each sentence whose number of tokens or size is wrong."""
    layers, lengths = content.get("layers"), content.get("lengths")
    checksums = content.get("checksums")
    if any(getattr(each, "ndim", None) is None for each in (layers, lengths, checksums)):
        return
    assert layers is not None and lengths is not None and checksums is not None
    if layers.dtype == object or lengths.dtype.kind != "i" or lengths.ndim != 1:
        return
    raw, start = layers.tobytes(), 0
    row = layers.itemsize * (layers.shape[-1] if layers.ndim else 1)
    for sentence, length in enumerate(lengths.tolist()[: len(checksums) if checksums.ndim else 0]):
        stop = start + length * row
        is_other = (
            layers.shape[1:] != honest["layers"].shape[1:]
            or layers.dtype != honest["layers"].dtype
            or sentence >= len(honest["lengths"])
            or length != honest["lengths"][sentence]
        )
        if is_other and 0 <= start <= stop <= len(raw) and checksums.dtype.kind in "iu":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                checksums[sentence] = numpy.uint32(crc32(raw[start:stop])).astype(checksums.dtype)
        start = stop


def _name(random: Random, content: Content) -> str:
    return random.choice(sorted(content))


def _remove(random: Random, content: Content, storage: Dict[str, Any]) -> None:
    if len(content) > 1:
        del content[_name(random, content)]


def _group(random: Random, content: Content, storage: Dict[str, Any]) -> None:
    content[random.choice(("digests", "lengths", "checksums", "layers"))] = numpy.array(None)


def _retype(random: Random, content: Content, storage: Dict[str, Any]) -> None:
    name = _name(random, content)
    kinds: List[Any] = ["f2", "f4", ">f4", "f8", "i1", "i4", ">i8", "u8", "c8", "bool"]
    if content[name].dtype.kind in "iuf":
        content[name] = content[name].astype(random.choice(kinds))
    else:
        content[name] = numpy.asarray(random.choice((b"text", 3, 0.5, -1, [1, 2])))


def _reshape(random: Random, content: Content, storage: Dict[str, Any]) -> None:
    name = _name(random, content)
    value = content[name]
    if value.dtype.kind not in "iuf":
        return
    ways = (
        lambda: value.reshape(-1),
        lambda: value[None],
        lambda: value[..., None],
        lambda: value.reshape(value.shape[::-1]),
        lambda: value[:0] if value.ndim else value,
        lambda: value.reshape(-1)[0] if value.size else value,
    )
    content[name] = numpy.asarray(random.choice(ways)())


def _shorten(random: Random, content: Content, storage: Dict[str, Any]) -> None:
    name = _name(random, content)
    if content[name].ndim:
        content[name] = content[name][: random.randrange(len(content[name]) + 1)]


def _extend(random: Random, content: Content, storage: Dict[str, Any]) -> None:
    name = _name(random, content)
    if content[name].ndim and content[name].dtype != object:
        content[name] = numpy.concatenate([content[name]] * random.choice((2, 3)))


def _renumber(random: Random, content: Content, storage: Dict[str, Any]) -> None:
    lengths = content.get("lengths")
    if lengths is not None and lengths.dtype == "int64" and lengths.size:
        lengths.reshape(-1)[random.randrange(lengths.size)] = random.choice(NUMBERS)


def _reattribute(random: Random, content: Content, storage: Dict[str, Any]) -> None:
    values: Tuple[Any, ...] = (
        numpy.nan,
        numpy.inf,
        -1.0,
        b"\xff",
        "text",
        [],
        [1.0, 2.0],
        2**62,
        True,
    )
    content[random.choice(("@seconds", "@format"))] = numpy.asarray(random.choice(values))


def _store_otherwise(random: Random, content: Content, storage: Dict[str, Any]) -> None:
    name = random.choice(("digests", "lengths", "checksums", "layers"))
    value = content.get(name)
    if value is not None and value.ndim and value.size and value.dtype != object:
        ways = ({"compression": "gzip"}, {"chunks": True}, {"fletcher32": True})
        storage[name] = dict(random.choice(ways))


_CHANGES: Tuple[Callable[[Random, Content, Dict[str, Any]], None], ...] = (
    _remove, _group, _retype, _reshape, _shorten, _extend, _renumber, _renumber, _reattribute,
    _store_otherwise,
)  # fmt: skip
