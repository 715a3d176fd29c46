"""Layers of whole sentences, kept on disk."""

import copy
import functools
import inspect
import io
import json
import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

import h5py
import pytest
import torch
from allennlp.common import Lazy, Params
from allennlp.common.checks import ConfigurationError
from hypothesis import given, settings
from hypothesis import strategies as st
from overrides import overrides

from allennlp_elmo_plugin import (
    ActivationCache,
    BilmEncoder,
    ElmoBilm,
    ElmoEncoder,
    ElmoTokenEmbedder,
    EncodedSentences,
    Hdf5ActivationCache,
    NoActivationCache,
)
from allennlp_elmo_plugin.network.spelling import spell_word
from tests.support.elmo_files import ElmoFiles, elmo_options, write_elmo_files
from tests.support.paths import REPOSITORY

TOLERANCE = 1e-6
WORDS = ["@@PADDING@@", "@@UNKNOWN@@", "the", "cat", "sat", "dog"]
SENTENCES = ["the cat sat", "dog", "the dog sat there too", "sat"]


class _Encoder(ElmoEncoder):
    """Stands in for a biLM: a word's vector is its first characters. Counts what it is asked."""

    def __init__(self, name: bytes = b"encoder", scale: float = 1.0) -> None:
        super().__init__()
        self.num_representations = 3
        self.name, self.scale = name, scale
        self.batches: List[List[int]] = []

    @overrides
    def impurity(self) -> Optional[str]:
        return None

    @overrides
    def digest(self) -> bytes:
        return self.name

    @overrides
    def forward(
        self,
        character_ids: torch.Tensor,
        word_ids: Optional[torch.Tensor] = None,
        num_representations: Optional[int] = None,
    ) -> EncodedSentences:
        batch_size, timesteps, _ = character_ids.shape
        lengths = (character_ids > 0).any(dim=-1).sum(dim=1)
        self.batches.append(lengths.tolist())
        mask = torch.arange(timesteps + 2) < lengths.unsqueeze(1) + 2
        vectors = torch.full((batch_size, timesteps + 2, 4), 0.7)
        vectors[:, 1:-1] += character_ids[..., :4].float() / 7
        if word_ids is not None:
            vectors[:, 1:-1] += word_ids.float().unsqueeze(-1) / 3
        scales = self.scale * torch.arange(1.0, 1.0 + (num_representations or 3))
        layers = scales.view(-1, 1, 1, 1) * (vectors * mask.unsqueeze(-1))
        return EncodedSentences(layers, mask)


@pytest.fixture(name="files", scope="module")
def _files(tmp_path_factory: pytest.TempPathFactory) -> ElmoFiles:
    return write_elmo_files(tmp_path_factory.mktemp("elmo"))


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> str:
    return str(tmp_path / "cache")


def _spelled(*sentences: str) -> torch.Tensor:
    """Shape (batch, timesteps, 50), for as many timesteps as the longest sentence has words."""
    rows = [[spell_word(word) for word in sentence.split()] for sentence in sentences]
    timesteps = max(map(len, rows))
    padded = [row + [[0] * 50] * (timesteps - len(row)) for row in rows]
    return torch.tensor(padded, dtype=torch.long).view(len(rows), timesteps, 50)


def _word_ids(*sentences: str) -> torch.Tensor:
    """Shape (batch, timesteps), by the position in `WORDS`."""
    known = {word: i for i, word in enumerate(WORDS)}
    rows = [torch.tensor([known.get(w, 1) for w in sentence.split()]) for sentence in sentences]
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)


def _embedder(
    files: ElmoFiles, cache: Optional[ActivationCache] = None, **arguments: Any
) -> ElmoTokenEmbedder:
    encoder = arguments.pop("encoder", {"initial_state": {"type": "warm"}})
    return ElmoTokenEmbedder(
        *files,
        **{"dropout": 0.0, **arguments},
        encoder=Lazy(ElmoEncoder, Params({"type": "bilm", **copy.deepcopy(encoder)})),
        activation_cache=cache,
    )


def _cache_of(embedder: ElmoTokenEmbedder) -> Hdf5ActivationCache:
    assert isinstance(embedder._activation_cache, Hdf5ActivationCache)
    return embedder._activation_cache


def _bilm_of(embedder: ElmoTokenEmbedder) -> ElmoBilm:
    assert isinstance(embedder._encoder, BilmEncoder)
    return embedder._encoder.bilm


def _assert_close(vectors: torch.Tensor, expected: torch.Tensor) -> None:
    assert (vectors.dtype, vectors.shape) == (expected.dtype, expected.shape)
    assert (vectors - expected).abs().max().item() <= TOLERANCE


def _call(cache: ActivationCache, encoder: ElmoEncoder, *ids: torch.Tensor) -> EncodedSentences:
    return cache(encoder, ids[0], ids[1] if len(ids) > 1 else None, 3)


def _hdf5_files(path: str) -> List[Path]:
    return sorted(Path(path).glob("*/*.hdf5"))


def _layers_on_disk(path: str) -> List[torch.Tensor]:
    layers = []
    for file_path in _hdf5_files(path):
        with h5py.File(file_path, "r") as file:
            layers.append(torch.tensor(file["layers"][()]))
    return layers


def test_a_config_names_it(path: str) -> None:
    """It is an activation cache for AllenNLP's config system."""
    params = {"type": "hdf5", "path": path, "dtype": "float16", "max_gigabytes": 0.5}
    cache = ActivationCache.from_params(Params(params))
    assert isinstance(cache, Hdf5ActivationCache)
    assert (cache.path, cache.dtype) == (path, "float16")


def test_vectors_are_those_without_it(files: ElmoFiles, path: str) -> None:
    """Computed or read, by the same model or the next, they are what the biLM gives."""
    ids = _spelled(*SENTENCES)
    expected = _embedder(files)(ids)
    for _ in range(2):
        embedder = _embedder(files, Hdf5ActivationCache(path))
        first, second = embedder(ids), embedder(ids)
        _assert_close(first, expected)
        assert torch.equal(first, second)
        embedder.eval()


def test_boundaries_and_layer_norm_work_with_it(files: ElmoFiles, path: str) -> None:
    """What reads the mask and the boundaries finds them in kept layers as well."""
    ids = _spelled(*SENTENCES)
    options: Dict[str, Any] = {"do_layer_norm": True, "keep_sentence_boundaries": True}
    expected = _embedder(files, **options)(ids)
    embedder = _embedder(files, Hdf5ActivationCache(path), **options)
    for _ in range(2):
        assert torch.allclose(embedder(ids), expected, atol=1e-5)


def test_a_second_pass_computes_nothing(path: str) -> None:
    """Neither in the same process nor in one that opens the folder later."""
    cache, encoder = Hdf5ActivationCache(path), _Encoder()
    first = _call(cache, encoder, _spelled(*SENTENCES))
    assert encoder.batches == [[3, 1, 5, 1]]
    cache.flush()
    for again in (cache, Hdf5ActivationCache(path)):
        second = _call(again, encoder, _spelled(*SENTENCES))
        assert torch.equal(first.layers, second.layers) and torch.equal(first.mask, second.mask)
    assert len(encoder.batches) == 1
    assert (cache.hits, cache.misses) == (4, 4)


def test_only_what_is_missing_is_computed(path: str) -> None:
    """Of a batch of old and new sentences, the encoder sees the new ones."""
    cache, encoder = Hdf5ActivationCache(path), _Encoder()
    _call(cache, encoder, _spelled("the cat", "dog"))
    encoded = _call(cache, encoder, _spelled("dog", "dog sat there", "the cat"))
    assert encoder.batches == [[2, 1], [3]]
    expected = _Encoder()(_spelled("dog", "dog sat there", "the cat"))
    assert torch.equal(encoded.layers, expected.layers)
    assert torch.equal(encoded.mask, expected.mask)


def test_a_sentence_that_comes_twice_is_computed_once(path: str) -> None:
    """Within a batch, too."""
    cache, encoder = Hdf5ActivationCache(path), _Encoder()
    ids = _spelled("the cat", "dog", "the cat", "the cat")
    encoded = _call(cache, encoder, ids)
    assert encoder.batches == [[2, 1]]
    assert torch.equal(encoded.layers, _Encoder()(ids).layers)
    assert (cache.hits, cache.misses) == (2, 2)


TOKENS = st.sampled_from(["the", "cat", "a", "s", ""])


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(
    batches=st.lists(
        st.lists(st.lists(TOKENS, max_size=4), min_size=1, max_size=4), min_size=2, max_size=4
    ),
    padding=st.lists(st.integers(0, 3), min_size=4, max_size=4),
    with_word_ids=st.booleans(),
)
def test_batches_of_any_kind(
    batches: List[List[List[str]]], padding: List[int], with_word_ids: bool
) -> None:
    """
    However sentences are put together, in whatever order and padded to whatever length, each has
    the encoder's layers, and none is computed twice.
    """
    with tempfile.TemporaryDirectory() as folder:
        cache, counted = Hdf5ActivationCache(folder), _Encoder()
        for batch, more in zip(batches, padding):
            timesteps = max(map(len, batch)) + more
            rows = [
                [spell_word(w) for w in words] + [[0] * 50] * (timesteps - len(words))
                for words in batch
            ]
            ids = torch.tensor(rows, dtype=torch.long).view(len(batch), timesteps, 50)
            given_ids = (ids, (ids.sum(dim=-1) % 5)) if with_word_ids else (ids,)
            encoded, expected = _call(cache, counted, *given_ids), _Encoder()(*given_ids)
            assert torch.equal(encoded.layers, expected.layers)
            assert torch.equal(encoded.mask, expected.mask)
        sentences = {tuple(words) for batch in batches for words in batch}
        assert sum(map(len, counted.batches)) == len(sentences)


@pytest.mark.parametrize(
    "first, second",
    [
        (["ab", "c"], ["a", "bc"]),
        (["a", "b"], ["b", "a"]),
        (["a"], ["a", "a"]),
        (["a"], ["A"]),
        ([""], []),
        (["a", ""], ["a"]),
        (["x" * 48], ["x" * 47]),
    ],
)
def test_sentences_are_told_apart(path: str, first: List[str], second: List[str]) -> None:
    """Words elsewhere, in another order or number, are another sentence."""
    cache, encoder = Hdf5ActivationCache(path), _Encoder()
    for words in (first, second):
        ids = torch.tensor([[spell_word(w) for w in words]], dtype=torch.long)
        ids = ids.view(1, len(words), 50)
        assert torch.equal(_call(cache, encoder, ids).layers, _Encoder()(ids).layers)
    assert (cache.hits, cache.misses) == (0, 2)


def test_a_result_is_the_callers_own(path: str) -> None:
    """Writing to it spoils nothing that is kept."""
    cache, ids = Hdf5ActivationCache(path), _spelled("the cat", "dog")
    for _ in range(3):
        encoded = _call(cache, _Encoder(), ids)
        assert torch.equal(encoded.layers, _Encoder()(ids).layers)
        encoded.layers.zero_()
        encoded.mask.zero_()
        cache.flush()


def test_gradients_reach_the_scalar_mix(files: ElmoFiles, path: str) -> None:
    """What is trained above the layers gets the gradients it has without the cache."""
    ids = _spelled(*SENTENCES)
    gradients = []
    for cache in (NoActivationCache(), Hdf5ActivationCache(path), Hdf5ActivationCache(path)):
        embedder = _embedder(files, cache)
        embedder(ids).pow(2).sum().backward()
        cache.flush()
        gradients.append(
            torch.cat([p.grad for p in embedder.scalar_mix.parameters() if p.grad is not None])
        )
    assert len(gradients[0]) == 4
    assert torch.allclose(gradients[1], gradients[0], rtol=1e-4)
    assert torch.equal(gradients[1], gradients[2])


def _other_weights(files: ElmoFiles, folder: Path) -> ElmoTokenEmbedder:
    return _embedder(write_elmo_files(folder, seed=7), Hdf5ActivationCache(str(folder)))


def _other_clip(files: ElmoFiles, folder: Path) -> ElmoTokenEmbedder:
    options = elmo_options(cell_clip=0.05, proj_clip=0.05)
    return _embedder(write_elmo_files(folder, options), Hdf5ActivationCache(str(folder)))


def _other_initial_state(files: ElmoFiles, folder: Path) -> ElmoTokenEmbedder:
    zero = {"initial_state": {"type": "zero"}}
    return _embedder(files, Hdf5ActivationCache(str(folder)), encoder=zero)


def _other_warm_up(files: ElmoFiles, folder: Path) -> ElmoTokenEmbedder:
    warm = {"initial_state": {"type": "warm", "sentences": ["cow"], "repeats": 1}}
    return _embedder(files, Hdf5ActivationCache(str(folder)), encoder=warm)


def _fewer_layers(files: ElmoFiles, folder: Path) -> ElmoTokenEmbedder:
    parameters = [0.0, 0.0, -1e12]
    return _embedder(files, Hdf5ActivationCache(str(folder)), scalar_mix_parameters=parameters)


def _other_dtype(files: ElmoFiles, folder: Path) -> ElmoTokenEmbedder:
    return _embedder(files, Hdf5ActivationCache(str(folder), dtype="float16"))


@pytest.mark.parametrize(
    "build",
    [
        _other_weights,
        _other_clip,
        _other_initial_state,
        _other_warm_up,
        _fewer_layers,
        _other_dtype,
    ],
)
def test_another_model_reads_nothing(
    files: ElmoFiles, tmp_path: Path, build: Callable[[ElmoFiles, Path], ElmoTokenEmbedder]
) -> None:
    """What shapes the layers keeps the entries of two models in one folder apart."""
    ids = _spelled(*SENTENCES)
    embedder = _embedder(files, Hdf5ActivationCache(str(tmp_path)))
    first = embedder(ids)
    embedder.eval()
    other = build(files, tmp_path)
    vectors = other(ids)
    assert _cache_of(other).hits == 0
    assert not torch.allclose(vectors, first, atol=1e-5)
    again = _embedder(files, Hdf5ActivationCache(str(tmp_path)))
    assert torch.equal(again(ids), first)
    assert _cache_of(again).misses == 0


def test_another_precision_reads_nothing(tmp_path: Path) -> None:
    """Rounded weights give other layers."""
    options = elmo_options(
        filters=((1, 4), (2, 4), (3, 8)), char_dim=4, cell_size=16, projection_dim=16
    )
    files = write_elmo_files(tmp_path / "elmo", options)
    ids = _spelled(*SENTENCES)
    vectors = []
    for precision in ("float32", "bfloat16", "int8"):
        encoder = {"initial_state": {"type": "zero"}, "precision": precision}
        cache = Hdf5ActivationCache(str(tmp_path / "cache"))
        embedder = _embedder(files, cache, encoder=encoder)
        vectors.append(embedder(ids))
        _assert_close(vectors[-1], _embedder(files, encoder=encoder)(ids))
        cache.flush()
        assert cache.hits == 0
    assert not torch.equal(vectors[0], vectors[1]) and not torch.equal(vectors[1], vectors[2])


def test_a_parameter_that_changes_in_place_is_noticed(files: ElmoFiles, path: str) -> None:
    """Each state of the weights has entries of its own, which are there when it comes back."""
    embedder = _embedder(files, Hdf5ActivationCache(path), encoder={"initial_state": "zero"})
    plain = _embedder(files, encoder={"initial_state": "zero"})
    ids, misses = _spelled(*SENTENCES), []
    for factor in (1.0, 2.0, 0.5):
        for module in (embedder, plain):
            with torch.no_grad():
                for parameter in _bilm_of(module).lstm.parameters():
                    parameter.mul_(factor)
        _assert_close(embedder(ids), plain(ids))
        misses.append(_cache_of(embedder).misses)
    assert misses == [4, 8, 8]


def test_loaded_weights_are_noticed(files: ElmoFiles, tmp_path: Path) -> None:
    """A state dict brings other layers with it."""
    other = _embedder(write_elmo_files(tmp_path / "elmo", seed=5))
    ids = _spelled(*SENTENCES)
    expected = other(ids)
    embedder = _embedder(files, Hdf5ActivationCache(str(tmp_path / "cache")))
    embedder(ids)
    embedder.load_state_dict(other.state_dict())
    _assert_close(embedder(ids), expected)


def test_the_state_dict_knows_nothing_of_it(files: ElmoFiles, path: str) -> None:
    """A model can be loaded with the cache or without it."""
    with_cache = _embedder(files, Hdf5ActivationCache(path)).state_dict()
    assert list(with_cache) == list(_embedder(files).state_dict())


def test_float16_is_the_same_computed_and_read(files: ElmoFiles, path: str) -> None:
    """The first epoch has the vectors of all others, which are the biLM's, rounded."""
    ids = _spelled(*SENTENCES)
    embedder = _embedder(files, Hdf5ActivationCache(path, dtype="float16"))
    computed = embedder(ids)
    embedder.eval()
    later = _embedder(files, Hdf5ActivationCache(path, dtype="float16"))
    assert torch.equal(computed, embedder(ids))
    assert torch.equal(computed, later(ids)) and _cache_of(later).misses == 0
    expected = _embedder(files)(ids)
    assert computed.dtype == torch.float32
    assert 0 < (computed - expected).abs().max() < 2e-3
    assert [layers.dtype for layers in _layers_on_disk(path)] == [torch.float16]


def test_half_the_type_is_half_the_numbers(tmp_path: Path) -> None:
    """Each number is rounded as PyTorch rounds it, and given as float32."""
    ids = _spelled(*SENTENCES)
    cache = Hdf5ActivationCache(str(tmp_path), dtype="float16")
    encoded = _call(cache, _Encoder(), ids)
    assert encoded.layers.dtype == torch.float32
    assert torch.equal(encoded.layers, _Encoder()(ids).layers.half().float())


def test_what_autocast_computes_is_not_read_without_it(files: ElmoFiles, path: str) -> None:
    """An evaluation in full precision is not spoiled by a training in half."""
    ids = _spelled(*SENTENCES)
    expected = _embedder(files)(ids)
    embedder = _embedder(files, Hdf5ActivationCache(path))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        embedder(ids)
    _assert_close(embedder(ids), expected)


def test_inference_mode_leaves_nothing_behind(files: ElmoFiles, path: str) -> None:
    """What was computed in it can be used in training."""
    ids = _spelled(*SENTENCES)
    embedder = _embedder(files, Hdf5ActivationCache(path))
    with torch.inference_mode():
        computed = embedder(ids).clone()
    vectors = embedder(ids)
    vectors.sum().backward()
    assert torch.equal(vectors, computed)


@pytest.mark.parametrize("shape", [(0, 3, 50), (2, 0, 50), (0, 0, 50), (2, 0, 3, 50)])
def test_nothing_in_gives_nothing_out(files: ElmoFiles, path: str, shape: tuple) -> None:
    """A batch without tokens, or without rows, has a result without vectors, warm or not."""
    embedder = _embedder(files, Hdf5ActivationCache(path))
    for _ in range(2):
        assert embedder(torch.zeros(shape, dtype=torch.long)).shape == (*shape[:-1], 16)


def test_a_sentence_of_no_tokens_has_its_boundaries(files: ElmoFiles, path: str) -> None:
    """Alone, beside others, and read again, it is `<S> </S>`."""
    ids = _spelled("the cat", "")
    expected = _embedder(files, keep_sentence_boundaries=True)(ids)
    embedder = _embedder(files, Hdf5ActivationCache(path), keep_sentence_boundaries=True)
    for _ in range(2):
        _assert_close(embedder(ids), expected)
        _assert_close(embedder(ids[1:, :0]), expected[1:, :2])
    assert _cache_of(embedder).misses == 2


def test_more_dimensions_are_sentences_too(files: ElmoFiles, path: str) -> None:
    """A batch of lists of sentences has the entries of a batch of sentences."""
    ids = _spelled(*SENTENCES)
    embedder = _embedder(files, Hdf5ActivationCache(path))
    expected = embedder(ids)
    assert torch.equal(embedder(ids.view(2, 2, 5, 50)), expected.view(2, 2, 5, 16))
    assert _cache_of(embedder).misses == 4


WARM = _spelled("the cat sat", "dog")
HOLE = WARM * torch.tensor([1, 0, 1]).view(1, 3, 1)


@pytest.mark.parametrize(
    "ids, expected",
    [
        (WARM[..., :49], "Expected 50 character ids per token.*got 49"),
        (WARM.float(), "type torch.int64, got torch.float32"),
        (WARM.bool(), "type torch.int64, got torch.bool"),
        (WARM + 262 * (WARM > 0), "from 0 to 261"),
        (-WARM, "from 0 to 261"),
        (WARM + (WARM > 0) * 2**32, "from 0 to 261"),
        (WARM - (WARM > 0) * 2**32, "from 0 to 261"),
        (HOLE, "follows a place without one"),
        (torch.cat([WARM, HOLE]), "follows a place without one"),
    ],
    ids=["width", "float", "bool", "high", "low", "2**32", "-2**32", "hole", "one of four"],
)
def test_a_warm_cache_refuses_wrong_character_ids(
    files: ElmoFiles, path: str, ids: torch.Tensor, expected: str
) -> None:
    """The encoder's errors do not depend on what was seen before."""
    embedder = _embedder(files, Hdf5ActivationCache(path))
    embedder(WARM)
    for _ in range(2):
        with pytest.raises(ConfigurationError, match=expected):
            embedder(ids)


@pytest.mark.parametrize(
    "word_ids, expected",
    [
        (torch.tensor([[2, 3, 4]]), "'word_inputs' of shape \\(2, 3\\)"),
        (torch.tensor([[2.0, 3.0, 4.0], [5.0, 0.0, 0.0]]), "torch.int64, got torch.float32"),
        (torch.tensor([[2, 3, 0], [5, 0, 0]]), "1 places differ"),
        (torch.tensor([[2, 3, 4], [5, 0, 1]]), "1 places differ"),
        (torch.tensor([[2, 3, 4], [5, 0, 0]]) - 2**32, "places differ"),
    ],
    ids=["shape", "float", "less", "more", "-2**32"],
)
def test_a_warm_cache_refuses_wrong_word_ids(
    files: ElmoFiles, path: str, word_ids: torch.Tensor, expected: str
) -> None:
    """Word ids must fit the character ids whether they were seen before or not."""
    embedder = _embedder(files, Hdf5ActivationCache(path), vocab_to_cache=WORDS)
    embedder(WARM, _word_ids("the cat sat", "dog"))
    for _ in range(2):
        with pytest.raises(ConfigurationError, match=expected):
            embedder(WARM, word_ids)


def test_word_ids_are_not_taken_for_characters(files: ElmoFiles, path: str) -> None:
    """A token of 51 characters is not one of 50 and its word id."""
    embedder = _embedder(files, Hdf5ActivationCache(path), vocab_to_cache=WORDS)
    word_ids = _word_ids("the cat sat", "dog")
    embedder(WARM, word_ids)
    with pytest.raises(ConfigurationError, match="Expected 50 character ids per token.*got 51"):
        embedder(torch.cat([WARM, word_ids.unsqueeze(-1)], dim=-1))


def test_word_ids_without_a_word_cache_are_refused(files: ElmoFiles, path: str) -> None:
    """Also where the sentence itself is known."""
    embedder = _embedder(files, Hdf5ActivationCache(path))
    embedder(WARM)
    with pytest.raises(ConfigurationError, match="no word cache that reads them"):
        embedder(WARM, _word_ids("the cat sat", "dog"))


def test_the_vocabulary_word_cache_works_with_it(files: ElmoFiles, path: str) -> None:
    """With word ids or without, vectors are those of the words' characters."""
    ids, word_ids = _spelled(*SENTENCES), _word_ids(*SENTENCES)
    expected = _embedder(files)(ids)
    embedder = _embedder(files, Hdf5ActivationCache(path), vocab_to_cache=WORDS)
    for given_ids in ((ids, word_ids), (ids,), (ids, word_ids)):
        assert torch.allclose(embedder(*given_ids), expected, atol=1e-5)
    assert _cache_of(embedder).hits >= 4


def test_layers_that_are_not_read_are_not_kept(files: ElmoFiles, path: str) -> None:
    """A fixed mix without the last layer keeps two of three."""
    ids, parameters = _spelled(*SENTENCES), [0.3, 0.1, -1e12]
    expected = _embedder(files, scalar_mix_parameters=parameters)(ids)
    embedder = _embedder(files, Hdf5ActivationCache(path), scalar_mix_parameters=parameters)
    for _ in range(2):
        _assert_close(embedder(ids), expected)
        embedder.eval()
    assert [layers.size(1) for layers in _layers_on_disk(path)] == [2]


def test_carry_is_refused(files: ElmoFiles, path: str) -> None:
    """What depends on the batches before cannot be kept, which is said."""
    for encoder in ({}, {"initial_state": {"type": "carry"}}):
        with pytest.raises(ConfigurationError, match="initial state.*'carry'"):
            _embedder(files, Hdf5ActivationCache(path), encoder=encoder)


def test_a_trained_bilm_is_refused(files: ElmoFiles, path: str) -> None:
    """What changes from step to step cannot be kept, which is said."""
    with pytest.raises(ConfigurationError, match="'requires_grad'"):
        _embedder(files, Hdf5ActivationCache(path), requires_grad=True)


def test_a_bilm_that_is_unfrozen_later_is_refused(files: ElmoFiles, path: str) -> None:
    """On a warm cache as well, and until it is frozen again."""
    embedder = _embedder(files, Hdf5ActivationCache(path))
    ids = _spelled(*SENTENCES)
    expected = embedder(ids)
    parameter = next(_bilm_of(embedder).lstm.parameters()).requires_grad_(True)
    with pytest.raises(ConfigurationError, match="'requires_grad'"):
        embedder(ids)
    parameter.requires_grad_(False)
    assert torch.equal(embedder(ids), expected)


def test_an_encoder_that_says_nothing_is_refused(path: str) -> None:
    """An encoder of another kind is pure only when it says so."""
    with pytest.raises(ConfigurationError, match="'hdf5' keeps"):
        Hdf5ActivationCache(path).check(ElmoEncoder())


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ({"dtype": "float64"}, "'dtype'.*'float64'"),
        ({"dtype": "bfloat16"}, "'dtype'.*'bfloat16'"),
        ({"max_gigabytes": 0}, "'max_gigabytes'.*got 0"),
        ({"max_gigabytes": -1.5}, "'max_gigabytes'.*got -1.5"),
        ({"max_gigabytes": float("nan")}, "'max_gigabytes'.*got nan"),
    ],
)
def test_wrong_parameters_are_refused(path: str, arguments: Dict[str, Any], expected: str) -> None:
    """Each error names the parameter and what it was."""
    with pytest.raises(ConfigurationError, match=expected):
        Hdf5ActivationCache(path, **arguments)


def test_no_end_of_space_is_no_limit(path: str) -> None:
    """An infinite number of gigabytes is more than 0."""
    cache = Hdf5ActivationCache(path, max_gigabytes=float("inf"))
    _call(cache, _Encoder(), WARM)
    cache.flush()
    assert len(_hdf5_files(path)) == 1


def test_a_path_that_is_a_file_is_refused(tmp_path: Path) -> None:
    """The file is left as it is."""
    (tmp_path / "cache").write_text("mine")
    with pytest.raises(ConfigurationError, match="to be a folder, but .* is a file"):
        Hdf5ActivationCache(str(tmp_path / "cache"))
    assert (tmp_path / "cache").read_text() == "mine"


def test_a_limit_costs_speed_alone(
    files: ElmoFiles, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Behind the limit, sentences are computed each time, and right."""
    ids = _spelled(*SENTENCES)
    expected = _embedder(files)(ids)
    embedder = _embedder(files, Hdf5ActivationCache(path, max_gigabytes=1e-7))
    for _ in range(3):
        _assert_close(embedder(ids), expected)
        embedder.eval()
    assert _hdf5_files(path) == []
    assert caplog.text.count("reached its limit") == 1


def test_damage_costs_speed_alone(files: ElmoFiles, path: str) -> None:
    """A sentence whose layers were damaged is computed anew, in the middle of a batch."""
    ids = _spelled(*SENTENCES)
    embedder = _embedder(files, Hdf5ActivationCache(path))
    expected = embedder(ids)
    embedder.eval()
    (file_path,) = _hdf5_files(path)
    with h5py.File(file_path, "r+") as file:
        file["layers"][6:9] = 0.0
    embedder = _embedder(files, Hdf5ActivationCache(path))
    for _ in range(2):
        _assert_close(embedder(ids), expected)
        embedder.eval()
    again = _embedder(files, Hdf5ActivationCache(path))
    _assert_close(again(ids), expected)
    assert _cache_of(again).misses == 0


@pytest.mark.parametrize("mode", [True, False])
def test_a_new_mode_writes_what_waits(files: ElmoFiles, path: str, mode: bool) -> None:
    """The trainer sets one at the begin of training and of validation."""
    embedder = _embedder(files, Hdf5ActivationCache(path))
    embedder(_spelled(*SENTENCES))
    assert _hdf5_files(path) == []
    assert embedder.train(mode) is embedder
    assert _cache_of(embedder).training is mode
    assert len(_hdf5_files(path)) == 1


def _through_pickle(embedder: ElmoTokenEmbedder) -> ElmoTokenEmbedder:
    copied: ElmoTokenEmbedder = pickle.loads(pickle.dumps(embedder))
    return copied


def _through_torch(embedder: ElmoTokenEmbedder) -> ElmoTokenEmbedder:
    saved = io.BytesIO()
    torch.save(embedder, saved)
    saved.seek(0)
    load = functools.partial(torch.load, saved)
    # Older versions of torch unpickle everything without being asked.
    if "weights_only" in inspect.signature(torch.load).parameters:
        load = functools.partial(load, weights_only=False)
    copied: ElmoTokenEmbedder = load()
    return copied


@pytest.mark.parametrize("copied", [copy.deepcopy, _through_pickle, _through_torch])
def test_copies_read_what_is_on_disk(
    files: ElmoFiles, path: str, copied: Callable[[ElmoTokenEmbedder], ElmoTokenEmbedder]
) -> None:
    """Of an embedder in use, with entries on disk and some that wait."""
    embedder = _embedder(files, Hdf5ActivationCache(path))
    ids, more = _spelled(*SENTENCES), _spelled("too")
    expected = embedder(ids)
    embedder.eval()
    embedder(more)
    other = copied(embedder)
    before = _cache_of(other).misses
    assert torch.equal(other(ids), expected)
    assert _cache_of(other).misses == before
    _assert_close(other(more), embedder(more))
    for module in (other, embedder):
        _cache_of(module).flush()
    later = _embedder(files, Hdf5ActivationCache(path))
    later(ids)
    later(more)
    assert _cache_of(later).misses == 0


def test_the_summary_says_hits_and_misses(path: str) -> None:
    """And where they were, and how much there is."""
    cache, encoder = Hdf5ActivationCache(path), _Encoder()
    assert cache.summary() is None
    _call(cache, encoder, _spelled("the cat", "dog", "sat"))
    _call(cache, encoder, _spelled("dog"))
    cache.flush()
    summary = cache.summary() or ""
    assert f"'{path}'" in summary
    assert "1 of 4 sentences (25.0%)" in summary and "3 were computed" in summary
    size = sum(file.stat().st_size for file in Path(path).rglob("*") if file.is_file())
    assert f"{size / 1e6:.1f} MB" in summary


def test_two_encoders_may_take_turns(path: str) -> None:
    """One cache keeps them apart, and loses nothing when it goes from one to the other."""
    cache, ids = Hdf5ActivationCache(path), _spelled(*SENTENCES)
    encoders = [_Encoder(b"one", 1.0), _Encoder(b"two", 2.0)]
    for _ in range(3):
        for encoder in encoders:
            encoded = _call(cache, encoder, ids)
            assert torch.equal(encoded.layers, _Encoder(scale=encoder.scale)(ids).layers)
    assert [len(encoder.batches) for encoder in encoders] == [1, 1]


@pytest.mark.skipif(sys.platform != "linux", reason="counts open files by /proc")
def test_encoders_that_take_turns_keep_no_files_open(path: str) -> None:
    """However often a cache goes from one to the other, it has open what it needs."""
    cache, encoders = Hdf5ActivationCache(path), [_Encoder(b"one"), _Encoder(b"two")]
    num_open = []
    for _ in range(10):
        for encoder in encoders:
            _call(cache, encoder, WARM)
        num_open.append(len(os.listdir("/proc/self/fd")))
    assert num_open[-1] == num_open[2]


def test_a_cache_that_is_forgotten_has_written(path: str) -> None:
    """When a model goes, what it computed stays."""
    cache = Hdf5ActivationCache(path)
    _call(cache, _Encoder(), WARM)
    del cache
    again, encoder = Hdf5ActivationCache(path), _Encoder()
    _call(again, encoder, WARM)
    assert encoder.batches == []


# Without the other parts of AllenNLP, which take their time.
CHILD = """
import json, sys, types
for name in ("allennlp_elmo_plugin",):
    package = types.ModuleType(name)
    package.__path__ = [name.replace(".", "/")]
    sys.modules[name] = package
import torch
from allennlp_elmo_plugin.embedder.encoder import ElmoEncoder, EncodedSentences
from allennlp_elmo_plugin.embedder.activation_cache.hdf5 import Hdf5ActivationCache

class Encoder(ElmoEncoder):
    impurity = lambda self: None
    digest = lambda self: b"encoder"

    def forward(self, character_ids, word_ids=None, num_representations=None):
        batch_size, timesteps, _ = character_ids.shape
        mask = torch.ones(batch_size, timesteps + 2, dtype=torch.bool)
        return EncodedSentences(torch.full((3, batch_size, timesteps + 2, 4), 0.5), mask)

cache = Hdf5ActivationCache(sys.argv[1])
cache(Encoder(), torch.tensor(json.load(sys.stdin)), None, 3)
"""


def test_a_process_that_ends_has_written(path: str) -> None:
    """Nobody has to flush: the next process finds what it computed."""
    process = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CHILD, path],
        cwd=str(REPOSITORY),
        input=json.dumps(WARM[:1].tolist()),
        capture_output=True,
        text=True,
    )
    assert (process.returncode, process.stderr) == (0, "")
    encoder = _Encoder()
    encoded = _call(Hdf5ActivationCache(path), encoder, WARM[:1])
    assert encoder.batches == []
    assert encoded.layers.unique().tolist() == [0.5]
