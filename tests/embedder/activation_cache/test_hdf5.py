"""The activation cache on disk."""

import copy
import functools
import hashlib
import inspect
import io
import json
import os
import pickle
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

import h5py
import numpy
import pytest
import torch
from allennlp.common import Params
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
from allennlp_elmo_plugin.embedder.activation_cache.segment import FORMAT_VERSION, encode_segment
from allennlp_elmo_plugin.network.sentence_batch import SentenceBatch
from tests.embedder.activation_cache.version_1 import write_version_1
from tests.support.elmo_files import ElmoFiles, elmo_options, write_elmo_files
from tests.support.embedders import embedder
from tests.support.paths import REPOSITORY
from tests.support.sentences import spell, word_ids

TOLERANCE = 1e-6
WORDS = ["@@PADDING@@", "@@UNKNOWN@@", "the", "cat", "sat", "dog"]
SENTENCES = ["the cat sat", "dog", "the dog sat there too", "sat"]


class _Encoder(ElmoEncoder):
    """A stand-in for a biLM: a token's vectors are its first characters, twice in each layer."""

    num_representations = 3
    max_characters_per_token = 50

    def __init__(
        self, name: bytes = b"encoder", scale: float = 1.0, doubles_token_layer: bool = False
    ) -> None:
        super().__init__()
        self.name, self.scale = name, scale
        self.doubles_token_layer = doubles_token_layer
        self.batches: List[List[int]] = []

    @overrides
    def get_output_dim(self) -> int:
        return 6

    @overrides
    def uncacheable_reason(self) -> Optional[str]:
        return None

    @overrides
    def digest(self) -> bytes:
        return self.name

    @overrides
    def forward(
        self, batch: SentenceBatch, num_representations: Optional[int] = None
    ) -> EncodedSentences:
        self.batches.append(batch.num_tokens)
        vectors = torch.full((len(batch), batch.timesteps, 3), 0.7)
        vectors[:, 1:-1] += batch.character_ids[..., :3].float() / 7
        if batch.word_ids is not None:
            vectors[:, 1:-1] += batch.word_ids.float().unsqueeze(-1) / 3
        scales = self.scale * torch.arange(1.0, 1.0 + (num_representations or 3))
        doubled = torch.cat([vectors, vectors], dim=-1) * batch.mask.unsqueeze(-1)
        layers = scales.view(-1, 1, 1, 1) * doubled
        # Other layers may have other halves.
        layers[1:, ..., 3:].neg_()
        return EncodedSentences(layers, batch.mask)


def _encoded(encoder: ElmoEncoder, *ids: torch.Tensor) -> EncodedSentences:
    """Encodes character ids, and word ids if there are any, without a cache."""
    encoded: EncodedSentences = encoder(SentenceBatch.from_padded(ids[0], 50, *ids[1:]))
    return encoded


@pytest.fixture(name="files", scope="module")
def _files(tmp_path_factory: pytest.TempPathFactory) -> ElmoFiles:
    return write_elmo_files(tmp_path_factory.mktemp("elmo"))


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> str:
    return str(tmp_path / "cache")


def _embedder(
    files: ElmoFiles, cache: Optional[ActivationCache] = None, **parameters: Any
) -> ElmoTokenEmbedder:
    """Builds an embedder whose layers can be cached, unless parameters say otherwise."""
    return embedder(files, cache, **{"encoder": {"initial_state": "warm"}, **parameters})


def _cache_of(module: ElmoTokenEmbedder) -> Hdf5ActivationCache:
    assert isinstance(module.activation_cache, Hdf5ActivationCache)
    return module.activation_cache


def _bilm_of(module: ElmoTokenEmbedder) -> ElmoBilm:
    assert isinstance(module.encoder, BilmEncoder)
    return module.encoder.bilm


def _assert_close(vectors: torch.Tensor, expected: torch.Tensor) -> None:
    assert (vectors.dtype, vectors.shape) == (expected.dtype, expected.shape)
    assert (vectors - expected).abs().max().item() <= TOLERANCE


def _call(cache: ActivationCache, encoder: ElmoEncoder, *ids: torch.Tensor) -> EncodedSentences:
    return cache(encoder, SentenceBatch.from_padded(ids[0], 50, *ids[1:]), 3)


def _hdf5_files(path: str) -> List[Path]:
    return sorted(Path(path).glob("*/*.hdf5"))


def _layers_on_disk(path: str) -> List[torch.Tensor]:
    layers = []
    for file_path in _hdf5_files(path):
        with h5py.File(file_path, "r") as file:
            layers.append(torch.tensor(file["layers"][()]))
    return layers


def test_a_config_names_it(path: str) -> None:
    """A config gets the cache on disk by its name."""
    params = {"type": "hdf5", "path": path, "dtype": "float16", "max_gigabytes": 0.5}
    cache = ActivationCache.from_params(Params(params))
    assert isinstance(cache, Hdf5ActivationCache)
    assert (cache.path, cache.dtype) == (path, "float16")


def test_vectors_are_those_without_it(files: ElmoFiles, path: str) -> None:
    """Computed or read, by the same model or the next, vectors are those of the biLM."""
    ids = spell(*SENTENCES)
    expected = _embedder(files)(ids)
    for _ in range(2):
        module = _embedder(files, Hdf5ActivationCache(path))
        first, second = module(ids), module(ids)
        _assert_close(first, expected)
        assert torch.equal(first, second)
        module.eval()


def test_boundaries_and_layer_norm_work_with_it(files: ElmoFiles, path: str) -> None:
    """Cached layers have their boundaries and their mask."""
    ids = spell(*SENTENCES)
    options: Dict[str, Any] = {"do_layer_norm": True, "keep_sentence_boundaries": True}
    expected = _embedder(files, **options)(ids)
    module = _embedder(files, Hdf5ActivationCache(path), **options)
    for _ in range(2):
        assert torch.allclose(module(ids), expected, atol=1e-5)


def test_a_second_pass_computes_nothing(path: str) -> None:
    """Sentences are read, in the same process and in one that opens the folder later."""
    cache, encoder = Hdf5ActivationCache(path), _Encoder()
    first = _call(cache, encoder, spell(*SENTENCES))
    assert encoder.batches == [[3, 1, 5, 1]]
    cache.flush()
    for again in (cache, Hdf5ActivationCache(path)):
        second = _call(again, encoder, spell(*SENTENCES))
        assert torch.equal(first.layers, second.layers) and torch.equal(first.mask, second.mask)
    assert len(encoder.batches) == 1
    assert (cache.hits, cache.misses) == (4, 4)


@pytest.mark.parametrize("doubles_token_layer", [False, True])
def test_layers_come_back_whole(path: str, doubles_token_layer: bool) -> None:
    """With the token layer stored once or twice, computed and read layers are the encoder's."""
    encoder, ids = _Encoder(doubles_token_layer=doubles_token_layer), spell(*SENTENCES)
    expected = _encoded(_Encoder(), ids)
    for _ in range(2):
        cache = Hdf5ActivationCache(path)
        assert torch.equal(_call(cache, encoder, ids).layers, expected.layers)
        cache.flush()
    assert len(encoder.batches) == 1
    (layers,) = _layers_on_disk(path)
    assert layers.shape == (10 + 2 * 4, 15 if doubles_token_layer else 18)


def test_the_token_layer_is_stored_once(files: ElmoFiles, path: str) -> None:
    """All layers of a biLM of two layers take five sixths of their numbers on disk."""
    module = _embedder(files, Hdf5ActivationCache(path))
    module(spell(*SENTENCES))
    module.eval()
    (layers,) = _layers_on_disk(path)
    assert layers.shape == (10 + 2 * 4, 3 * 16 - 8)


def test_only_missing_sentences_are_computed(path: str) -> None:
    """Of a batch of old and new sentences, the encoder sees the new ones."""
    cache, encoder = Hdf5ActivationCache(path), _Encoder()
    _call(cache, encoder, spell("the cat", "dog"))
    encoded = _call(cache, encoder, spell("dog", "dog sat there", "the cat"))
    assert encoder.batches == [[2, 1], [3]]
    expected = _encoded(_Encoder(), spell("dog", "dog sat there", "the cat"))
    assert torch.equal(encoded.layers, expected.layers)
    assert torch.equal(encoded.mask, expected.mask)


def test_a_sentence_that_comes_twice_is_computed_once(path: str) -> None:
    """A sentence that stands in a batch several times is computed once."""
    cache, encoder = Hdf5ActivationCache(path), _Encoder()
    ids = spell("the cat", "dog", "the cat", "the cat")
    encoded = _call(cache, encoder, ids)
    assert encoder.batches == [[2, 1]]
    assert torch.equal(encoded.layers, _encoded(_Encoder(), ids).layers)
    assert (cache.hits, cache.misses) == (2, 2)


TOKENS = st.sampled_from(["the", "cat", "a", "s", ""])


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(
    batches=st.lists(
        st.lists(st.lists(TOKENS, max_size=4), min_size=1, max_size=4), min_size=2, max_size=4
    ),
    padding=st.lists(st.integers(0, 3), min_size=4, max_size=4),
    with_word_ids=st.booleans(),
    doubles=st.booleans(),
)
def test_batches_of_any_kind(
    batches: List[List[List[str]]], padding: List[int], with_word_ids: bool, doubles: bool
) -> None:
    """In any batch, order and padding, a sentence has the encoder's layers, computed once."""
    with tempfile.TemporaryDirectory() as folder:
        cache = Hdf5ActivationCache(folder)
        counted = _Encoder(doubles_token_layer=doubles)
        for batch, more in zip(batches, padding):
            ids = torch.nn.functional.pad(spell(*batch), (0, 0, 0, more))
            words = (1 + ids.sum(dim=-1) % 5) * ids.any(dim=-1)
            given_ids = (ids, words) if with_word_ids else (ids,)
            encoded = _call(cache, counted, *given_ids)
            expected = _encoded(_Encoder(), *given_ids)
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
    """Other words, in another order or number, are another sentence."""
    cache, encoder = Hdf5ActivationCache(path), _Encoder()
    for words in (first, second):
        ids = spell(words)
        expected = _encoded(_Encoder(), ids)
        assert torch.equal(_call(cache, encoder, ids).layers, expected.layers)
    assert (cache.hits, cache.misses) == (0, 2)


def test_word_ids_are_part_of_the_key(path: str) -> None:
    """A sentence with word ids, with others and with none is three sentences."""
    cache, encoder, ids = Hdf5ActivationCache(path), _Encoder(), spell("the cat")
    for given_ids in ((ids, torch.tensor([[2, 3]])), (ids,), (ids, torch.tensor([[2, 4]]))):
        expected = _encoded(_Encoder(), *given_ids)
        for _ in range(2):
            assert torch.equal(_call(cache, encoder, *given_ids).layers, expected.layers)
    assert (cache.hits, cache.misses) == (3, 3)


def test_a_result_is_the_callers_own(path: str) -> None:
    """Writing to a result changes nothing in the cache."""
    cache, ids = Hdf5ActivationCache(path), spell("the cat", "dog")
    for _ in range(3):
        encoded, expected = _call(cache, _Encoder(), ids), _encoded(_Encoder(), ids)
        assert torch.equal(encoded.layers, expected.layers)
        assert torch.equal(encoded.mask, expected.mask)
        encoded.layers.zero_()
        encoded.mask.zero_()
        cache.flush()


def test_gradients_reach_the_scalar_mix(files: ElmoFiles, path: str) -> None:
    """The scalar mix gets the gradients that it has without the cache."""
    ids = spell(*SENTENCES)
    gradients = []
    for cache in (NoActivationCache(), Hdf5ActivationCache(path), Hdf5ActivationCache(path)):
        module = _embedder(files, cache)
        module(ids).pow(2).sum().backward()
        cache.flush()
        gradients.append(
            torch.cat([p.grad for p in module.scalar_mix.parameters() if p.grad is not None])
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
    """Two models of other layers share a folder and no entries."""
    ids = spell(*SENTENCES)
    module = _embedder(files, Hdf5ActivationCache(str(tmp_path)))
    first = module(ids)
    module.eval()
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
    ids = spell(*SENTENCES)
    vectors = []
    for precision in ("float32", "bfloat16", "int8"):
        encoder = {"initial_state": {"type": "zero"}, "precision": precision}
        cache = Hdf5ActivationCache(str(tmp_path / "cache"))
        module = _embedder(files, cache, encoder=encoder)
        vectors.append(module(ids))
        _assert_close(vectors[-1], _embedder(files, encoder=encoder)(ids))
        cache.flush()
        assert cache.hits == 0
    assert not torch.equal(vectors[0], vectors[1]) and not torch.equal(vectors[1], vectors[2])


def test_a_parameter_that_changes_in_place_is_noticed(files: ElmoFiles, path: str) -> None:
    """Weights that change have other entries, and weights that come back find theirs."""
    module = _embedder(files, Hdf5ActivationCache(path), encoder={"initial_state": "zero"})
    plain = _embedder(files, encoder={"initial_state": "zero"})
    ids, misses = spell(*SENTENCES), []
    for factor in (1.0, 2.0, 0.5):
        for each in (module, plain):
            with torch.no_grad():
                for parameter in _bilm_of(each).lstm.parameters():
                    parameter.mul_(factor)
        _assert_close(module(ids), plain(ids))
        misses.append(_cache_of(module).misses)
    assert misses == [4, 8, 8]


def test_loaded_weights_are_noticed(files: ElmoFiles, tmp_path: Path) -> None:
    """After loading a state dict, layers are those of the loaded weights."""
    other = _embedder(write_elmo_files(tmp_path / "elmo", seed=5))
    ids = spell(*SENTENCES)
    expected = other(ids)
    module = _embedder(files, Hdf5ActivationCache(str(tmp_path / "cache")))
    module(ids)
    module.load_state_dict(other.state_dict())
    _assert_close(module(ids), expected)


def test_the_state_dict_is_that_without_it(files: ElmoFiles, path: str) -> None:
    """A model can be loaded with the cache or without it."""
    with_cache = _embedder(files, Hdf5ActivationCache(path)).state_dict()
    assert list(with_cache) == list(_embedder(files).state_dict())


def test_float16_is_the_same_computed_and_read(files: ElmoFiles, path: str) -> None:
    """The first epoch has the vectors of the next ones, which are the biLM's, rounded."""
    ids = spell(*SENTENCES)
    module = _embedder(files, Hdf5ActivationCache(path, dtype="float16"))
    computed = module(ids)
    module.eval()
    later = _embedder(files, Hdf5ActivationCache(path, dtype="float16"))
    assert torch.equal(computed, module(ids))
    assert torch.equal(computed, later(ids)) and _cache_of(later).misses == 0
    expected = _embedder(files)(ids)
    assert computed.dtype == torch.float32
    assert 0 < (computed - expected).abs().max() < 2e-3
    assert [layers.dtype for layers in _layers_on_disk(path)] == [torch.float16]


def test_float16_rounds_as_pytorch_does(tmp_path: Path) -> None:
    """Each number is rounded to float16, and given as float32."""
    ids = spell(*SENTENCES)
    cache = Hdf5ActivationCache(str(tmp_path), dtype="float16")
    encoded = _call(cache, _Encoder(), ids)
    assert encoded.layers.dtype == torch.float32
    assert torch.equal(encoded.layers, _encoded(_Encoder(), ids).layers.half().float())


def test_autocast_does_not_round_layers(files: ElmoFiles, path: str) -> None:
    """Sentences that were first seen under autocast are cached in full precision."""
    ids = spell(*SENTENCES)
    expected = _embedder(files)(ids)
    module = _embedder(files, Hdf5ActivationCache(path))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        module(ids)
    _assert_close(module(ids), expected)


def test_inference_mode_leaves_nothing_behind(files: ElmoFiles, path: str) -> None:
    """Layers that were computed in inference mode can be used in training."""
    ids = spell(*SENTENCES)
    module = _embedder(files, Hdf5ActivationCache(path))
    with torch.inference_mode():
        computed = module(ids).clone()
    vectors = module(ids)
    vectors.sum().backward()
    assert torch.equal(vectors, computed)


@pytest.mark.parametrize("shape", [(0, 3, 50), (2, 0, 50), (0, 0, 50), (2, 0, 3, 50)])
def test_nothing_in_gives_nothing_out(files: ElmoFiles, path: str, shape: tuple) -> None:
    """A batch without tokens, or without rows, has a result without vectors, cached or not."""
    module = _embedder(files, Hdf5ActivationCache(path))
    for _ in range(2):
        assert module(torch.zeros(shape, dtype=torch.long)).shape == (*shape[:-1], 16)


def test_a_sentence_of_no_tokens_has_its_boundaries(files: ElmoFiles, path: str) -> None:
    """A sentence without tokens is `<S> </S>`, alone, beside others, and read again."""
    ids = spell("the cat", "")
    expected = _embedder(files, keep_sentence_boundaries=True)(ids)
    module = _embedder(files, Hdf5ActivationCache(path), keep_sentence_boundaries=True)
    for _ in range(2):
        _assert_close(module(ids), expected)
        _assert_close(module(ids[1:, :0]), expected[1:, :2])
    assert _cache_of(module).misses == 2


def test_more_dimensions_are_sentences_too(files: ElmoFiles, path: str) -> None:
    """A batch of lists of sentences has the entries of a batch of sentences."""
    ids = spell(*SENTENCES)
    module = _embedder(files, Hdf5ActivationCache(path))
    expected = module(ids)
    assert torch.equal(module(ids.view(2, 2, 5, 50)), expected.view(2, 2, 5, 16))
    assert _cache_of(module).misses == 4


WARM = spell("the cat sat", "dog")
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
        (HOLE, "follows a position without one"),
        (torch.cat([WARM, HOLE]), "follows a position without one"),
    ],
    ids=["width", "float", "bool", "high", "low", "2**32", "-2**32", "hole", "one of four"],
)
def test_a_filled_cache_refuses_wrong_character_ids(
    files: ElmoFiles, path: str, ids: torch.Tensor, expected: str
) -> None:
    """Wrong ids are refused with the same errors after the first batch."""
    module = _embedder(files, Hdf5ActivationCache(path))
    module(WARM)
    for _ in range(2):
        with pytest.raises(ConfigurationError, match=expected):
            module(ids)


@pytest.mark.parametrize(
    "words, expected",
    [
        (torch.tensor([[2, 3, 4]]), "'word_inputs' of shape \\(2, 3\\)"),
        (torch.tensor([[2.0, 3.0, 4.0], [5.0, 0.0, 0.0]]), "torch.int64, got torch.float32"),
        (torch.tensor([[2, 3, 0], [5, 0, 0]]), "1 positions differ"),
        (torch.tensor([[2, 3, 4], [5, 0, 1]]), "1 positions differ"),
        (torch.tensor([[2, 3, 4], [5, 0, 0]]) - 2**32, "positions differ"),
    ],
    ids=["shape", "float", "less", "more", "-2**32"],
)
def test_a_filled_cache_refuses_wrong_word_ids(
    files: ElmoFiles, path: str, words: torch.Tensor, expected: str
) -> None:
    """Word ids have to fit the character ids after the first batch as well."""
    module = _embedder(files, Hdf5ActivationCache(path), vocab_to_cache=WORDS)
    module(WARM, word_ids(WORDS, "the cat sat", "dog"))
    for _ in range(2):
        with pytest.raises(ConfigurationError, match=expected):
            module(WARM, words)


def test_word_ids_are_not_taken_for_characters(files: ElmoFiles, path: str) -> None:
    """A token of 51 characters is not one of 50 and its word id."""
    module = _embedder(files, Hdf5ActivationCache(path), vocab_to_cache=WORDS)
    words = word_ids(WORDS, "the cat sat", "dog")
    module(WARM, words)
    with pytest.raises(ConfigurationError, match="Expected 50 character ids per token.*got 51"):
        module(torch.cat([WARM, words.unsqueeze(-1)], dim=-1))


def test_word_ids_without_a_word_cache_are_refused(files: ElmoFiles, path: str) -> None:
    """Word ids that nothing reads are refused for a cached sentence as well."""
    module = _embedder(files, Hdf5ActivationCache(path))
    module(WARM)
    with pytest.raises(ConfigurationError, match="no word cache that reads them"):
        module(WARM, word_ids(WORDS, "the cat sat", "dog"))


def test_the_vocabulary_word_cache_works_with_it(files: ElmoFiles, path: str) -> None:
    """With word ids or without, vectors are those of the words' characters."""
    ids, words = spell(*SENTENCES), word_ids(WORDS, *SENTENCES)
    expected = _embedder(files)(ids)
    module = _embedder(files, Hdf5ActivationCache(path), vocab_to_cache=WORDS)
    for given_ids in ((ids, words), (ids,), (ids, words)):
        assert torch.allclose(module(*given_ids), expected, atol=1e-5)
    assert _cache_of(module).hits >= 4


def test_layers_that_are_not_read_are_not_cached(files: ElmoFiles, path: str) -> None:
    """A fixed mix without the last layer stores two of three."""
    ids, parameters = spell(*SENTENCES), [0.3, 0.1, -1e12]
    expected = _embedder(files, scalar_mix_parameters=parameters)(ids)
    module = _embedder(files, Hdf5ActivationCache(path), scalar_mix_parameters=parameters)
    for _ in range(2):
        _assert_close(module(ids), expected)
        module.eval()
    assert [layers.size(1) for layers in _layers_on_disk(path)] == [2 * 16 - 8]


def test_carry_is_refused(files: ElmoFiles, path: str) -> None:
    """The error names the initial state that depends on the batches before."""
    for encoder in ({}, {"initial_state": {"type": "carry"}}):
        with pytest.raises(ConfigurationError, match="initial state.*'carry'"):
            _embedder(files, Hdf5ActivationCache(path), encoder=encoder)


def test_a_trained_bilm_is_refused(files: ElmoFiles, path: str) -> None:
    """The error names the parameter that trains the biLM."""
    with pytest.raises(ConfigurationError, match="'requires_grad'"):
        _embedder(files, Hdf5ActivationCache(path), requires_grad=True)


def test_the_cache_stands_aside_while_gradients_are_computed(
    files: ElmoFiles, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Cached sentences get gradients, the folder is left alone, and the log says so once."""
    module = _embedder(files, Hdf5ActivationCache(path))
    ids = spell(*SENTENCES)
    expected = module(ids)
    cache = _cache_of(module)
    counted = cache.hits, cache.misses
    parameters = list(_bilm_of(module).parameters())
    for parameter in parameters:
        parameter.requires_grad_(True)
    with caplog.at_level("INFO"):
        for _ in range(2):
            vectors = module(ids)
            vectors.sum().backward()
    assert torch.allclose(vectors, expected, atol=TOLERANCE)
    assert all(parameter.grad is not None for parameter in parameters)
    assert (cache.hits, cache.misses) == counted
    assert caplog.text.count(f"activation cache '{path}' is off") == 1


@pytest.mark.parametrize("freezes_again", [True, False])
def test_the_cache_is_read_after_gradients_were_computed(
    files: ElmoFiles, path: str, freezes_again: bool
) -> None:
    """Without gradients the cache is read, though a tool may leave parameters that require them."""
    module = _embedder(files, Hdf5ActivationCache(path))
    ids = spell(*SENTENCES)
    with torch.no_grad():
        expected = module(ids)
    bilm, cache = _bilm_of(module).requires_grad_(True), _cache_of(module)
    module(ids).sum().backward()
    bilm.requires_grad_(not freezes_again)
    cache.hits = cache.misses = 0
    with torch.no_grad():
        assert torch.equal(module(ids), expected)
    assert (cache.hits, cache.misses) == (len(SENTENCES), 0)


def test_an_encoder_that_says_nothing_is_refused(path: str) -> None:
    """An encoder of another kind can be cached only if it says so."""
    with pytest.raises(ConfigurationError, match="'hdf5'.*ElmoEncoder does not say.*'none'"):
        Hdf5ActivationCache(path).require_cacheable(ElmoEncoder())


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
    """Each error names the parameter and its value."""
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
    """Beyond the limit, sentences are computed each time, and right."""
    ids = spell(*SENTENCES)
    expected = _embedder(files)(ids)
    module = _embedder(files, Hdf5ActivationCache(path, max_gigabytes=1e-7))
    for _ in range(3):
        _assert_close(module(ids), expected)
        module.eval()
    assert _hdf5_files(path) == []
    assert caplog.text.count("reached its limit") == 1


def test_damage_costs_speed_alone(files: ElmoFiles, path: str) -> None:
    """A sentence whose layers were damaged is computed anew, in the middle of a batch."""
    ids = spell(*SENTENCES)
    module = _embedder(files, Hdf5ActivationCache(path))
    expected = module(ids)
    module.eval()
    (file_path,) = _hdf5_files(path)
    with h5py.File(file_path, "r+") as file:
        file["layers"][6:9] = 0.0
    module = _embedder(files, Hdf5ActivationCache(path))
    for _ in range(2):
        _assert_close(module(ids), expected)
        module.eval()
    again = _embedder(files, Hdf5ActivationCache(path))
    _assert_close(again(ids), expected)
    assert _cache_of(again).misses == 0


@pytest.mark.parametrize("limit", [1e300, 10**400])
def test_a_limit_above_every_disk_is_no_limit(path: str, limit: float) -> None:
    """A number of gigabytes that no float can hold in bytes is accepted."""
    cache = Hdf5ActivationCache(path, max_gigabytes=limit)
    _call(cache, _Encoder(), WARM)
    cache.flush()
    assert len(_hdf5_files(path)) == 1


@pytest.mark.parametrize("mode", [True, False])
def test_a_new_mode_writes_waiting_layers(files: ElmoFiles, path: str, mode: bool) -> None:
    """Setting the mode, as the trainer does for each epoch, writes a file."""
    module = _embedder(files, Hdf5ActivationCache(path))
    module(spell(*SENTENCES))
    assert _hdf5_files(path) == []
    assert module.train(mode) is module
    assert _cache_of(module).training is mode
    assert len(_hdf5_files(path)) == 1


def _through_pickle(module: ElmoTokenEmbedder) -> ElmoTokenEmbedder:
    copied: ElmoTokenEmbedder = pickle.loads(pickle.dumps(module))
    return copied


def _through_torch(module: ElmoTokenEmbedder) -> ElmoTokenEmbedder:
    saved = io.BytesIO()
    torch.save(module, saved)
    saved.seek(0)
    load = functools.partial(torch.load, saved)
    # Older versions of torch unpickle everything without being asked.
    if "weights_only" in inspect.signature(torch.load).parameters:
        load = functools.partial(load, weights_only=False)
    copied: ElmoTokenEmbedder = load()
    return copied


@pytest.mark.parametrize("copied", [copy.deepcopy, _through_pickle, _through_torch])
def test_copies_read_the_same_folder(
    files: ElmoFiles, path: str, copied: Callable[[ElmoTokenEmbedder], ElmoTokenEmbedder]
) -> None:
    """A copy of an embedder with entries on disk and in memory reads and writes the folder."""
    module = _embedder(files, Hdf5ActivationCache(path))
    ids, more = spell(*SENTENCES), spell("too")
    expected = module(ids)
    module.eval()
    module(more)
    other = copied(module)
    before = _cache_of(other).misses
    assert torch.equal(other(ids), expected)
    assert _cache_of(other).misses == before
    _assert_close(other(more), module(more))
    for each in (other, module):
        _cache_of(each).flush()
    later = _embedder(files, Hdf5ActivationCache(path))
    later(ids)
    later(more)
    assert _cache_of(later).misses == 0


def test_the_summary_says_hits_and_misses(path: str) -> None:
    """The summary has the folder, its size, and the number of hits and misses."""
    cache, encoder = Hdf5ActivationCache(path), _Encoder()
    assert cache.summary() is None
    _call(cache, encoder, spell("the cat", "dog", "sat"))
    _call(cache, encoder, spell("dog"))
    cache.flush()
    summary = cache.summary() or ""
    assert f"'{path}'" in summary
    assert "1 of 4 sentences (25.0%)" in summary and "3 were computed" in summary
    size = sum(file.stat().st_size for file in Path(path).rglob("*") if file.is_file())
    assert f"{size / 1e6:.1f} MB" in summary


def test_two_encoders_may_take_turns(path: str) -> None:
    """One cache has the layers of both encoders, and loses none in between."""
    cache, ids = Hdf5ActivationCache(path), spell(*SENTENCES)
    encoders = [_Encoder(b"one", 1.0), _Encoder(b"two", 2.0)]
    for _ in range(3):
        for encoder in encoders:
            encoded = _call(cache, encoder, ids)
            expected = _encoded(_Encoder(scale=encoder.scale), ids)
            assert torch.equal(encoded.layers, expected.layers)
    assert [len(encoder.batches) for encoder in encoders] == [1, 1]


def test_weights_that_are_loaded_meanwhile_leave_nothing(path: str) -> None:
    """Layers are not stored if the encoder is another one when they are computed."""

    class _Changing(_Encoder):
        def forward(self, *args: Any, **kwargs: Any) -> EncodedSentences:
            self.name = b"after"
            return super().forward(*args, **kwargs)

    cache, ids = Hdf5ActivationCache(path), spell(*SENTENCES)
    _call(cache, _Changing(b"before"), ids)
    for name in (b"before", b"after"):
        encoder = _Encoder(name, 2.0)
        assert torch.equal(_call(cache, encoder, ids).layers, _encoded(encoder, ids).layers)


@pytest.mark.skipif(sys.platform != "linux", reason="counts open files by /proc")
def test_encoders_that_take_turns_leave_no_files_open(path: str) -> None:
    """The number of open files does not grow with each change of the encoder."""
    cache, encoders = Hdf5ActivationCache(path), [_Encoder(b"one"), _Encoder(b"two")]
    num_open = []
    for _ in range(10):
        for encoder in encoders:
            _call(cache, encoder, WARM)
        num_open.append(len(os.listdir("/proc/self/fd")))
    assert num_open[-1] == num_open[2]


def test_a_cache_that_is_deleted_has_written(path: str) -> None:
    """Layers that wait are written when the cache is deleted."""
    cache = Hdf5ActivationCache(path)
    _call(cache, _Encoder(), WARM)
    del cache
    again, encoder = Hdf5ActivationCache(path), _Encoder()
    _call(again, encoder, WARM)
    assert encoder.batches == []


class _CountingEncoder(_Encoder):
    """An encoder in which two threads have to meet."""

    def __init__(self, num_threads: int) -> None:
        super().__init__()
        self.barrier = threading.Barrier(num_threads)

    @overrides
    def forward(
        self, batch: SentenceBatch, num_representations: Optional[int] = None
    ) -> EncodedSentences:
        self.barrier.wait(60.0)
        return super().forward(batch, num_representations)


def _in_threads(function: Callable[[int], None], num_threads: int = 8) -> None:
    """Runs a function in several threads that take turns as often as possible."""
    errors: List[BaseException] = []

    def run(number: int) -> None:
        try:
            function(number)
        except BaseException as error:
            errors.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    threads = [threading.Thread(target=run, args=(number,)) for number in range(num_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120.0)
    sys.setswitchinterval(interval)
    assert not any(thread.is_alive() for thread in threads)
    if errors:
        raise errors[0]


def test_threads_share_a_cache(path: str, caplog: pytest.LogCaptureFixture) -> None:
    """Eight threads get the encoder's layers, modes change meanwhile, and counts add up exactly."""
    cache, encoder = Hdf5ActivationCache(path), _Encoder(doubles_token_layer=True)
    words = ["the", "cat", "sat", "dog", "too"]
    batches = [
        spell(*[" ".join(words[: 1 + (i * j) % 5]) + f" {(i + j) % 9}" for j in range(4)])
        for i in range(12)
    ]
    expected = [_encoded(_Encoder(), ids) for ids in batches]
    sizes = [len({tuple(row.flatten().tolist()) for row in ids}) for ids in batches]
    assert min(sizes) > 1

    def work(number: int) -> None:
        for step in range(12):
            at = (step + number) % 12
            encoded = _call(cache, encoder, batches[at])
            assert torch.equal(encoded.layers, expected[at].layers)
            assert torch.equal(encoded.mask, expected[at].mask)
            if step % 4 == number % 4:
                cache.train(step % 8 < 4)
                cache.summary()

    _in_threads(work)
    assert cache.hits + cache.misses == 8 * sum(map(len, batches))
    # A batch that two threads compute at once is a miss for both.
    assert cache.misses == sum(map(len, encoder.batches))
    cache.flush()
    later, fresh = Hdf5ActivationCache(path), _Encoder(doubles_token_layer=True)
    for ids, encoded in zip(batches, expected):
        assert torch.equal(_call(later, fresh, ids).layers, encoded.layers)
    assert fresh.batches == []
    assert "damaged" not in caplog.text and "only read" not in caplog.text


def test_threads_encode_at_the_same_time(path: str) -> None:
    """No thread waits for the sentences that another one computes."""
    cache, encoder = Hdf5ActivationCache(path), _CountingEncoder(4)
    _in_threads(lambda number: _call(cache, encoder, spell("cat " * (1 + number))) and None, 4)
    assert (cache.hits, cache.misses) == (0, 4)


def test_threads_with_two_encoders_share_a_cache(path: str) -> None:
    """Threads whose encoders differ get their own layers, and none are lost."""
    cache, ids = Hdf5ActivationCache(path), spell(*SENTENCES)
    encoders = [_Encoder(b"one", 1.0), _Encoder(b"two", 2.0)]

    def work(number: int) -> None:
        encoder = encoders[number % 2]
        expected = _encoded(_Encoder(scale=encoder.scale), ids)
        for _ in range(5):
            assert torch.equal(_call(cache, encoder, ids).layers, expected.layers)

    _in_threads(work, 4)
    cache.flush()
    for encoder in encoders:
        again = _Encoder(encoder.name, encoder.scale)
        _call(Hdf5ActivationCache(path), again, ids)
        assert again.batches == []


def test_layers_of_another_size_are_set_aside(path: str, caplog: pytest.LogCaptureFixture) -> None:
    """Files whose numbers fit another encoder, or sentences of another length, cost no error."""
    encoder, ids = _Encoder(), spell(*SENTENCES)
    name = f"{encoder.digest().hex()}-3-float32-v{FORMAT_VERSION}"
    keys = list(_wrong_layers(ids))
    tokens = [len(sentence.split()) + 2 for sentence in SENTENCES]
    arrays = {
        "0": [numpy.zeros((length, 17), "float32") for length in tokens],
        "1": [numpy.zeros((length, 18), "float16") for length in tokens],
        "2": [numpy.zeros((length + 1, 18), "float32") for length in tokens],
    }
    (Path(path) / name).mkdir(parents=True)
    for digit, layers in arrays.items():
        content = encode_segment(dict(zip(keys, layers)), 1.0)
        (Path(path) / name / (digit * 32 + ".hdf5")).write_bytes(content)
    cache = Hdf5ActivationCache(path)
    for _ in range(2):
        assert torch.equal(_call(cache, encoder, ids).layers, _encoded(_Encoder(), ids).layers)
    assert encoder.batches == [[3, 1, 5, 1]]
    assert len(list(Path(path).glob("*/*.damaged"))) == 3
    assert caplog.text.count("set aside") == 3


# Without importing all of AllenNLP, which takes its time.
CHILD = """
import json, sys, types
for name in ("allennlp_elmo_plugin",):
    package = types.ModuleType(name)
    package.__path__ = [name.replace(".", "/")]
    sys.modules[name] = package
import torch
from allennlp_elmo_plugin.embedder.encoder import ElmoEncoder, EncodedSentences
from allennlp_elmo_plugin.embedder.activation_cache.hdf5 import Hdf5ActivationCache

from allennlp_elmo_plugin.network.sentence_batch import SentenceBatch

class Encoder(ElmoEncoder):
    uncacheable_reason = lambda self: None
    digest = lambda self: b"encoder"
    get_output_dim = lambda self: 6

    def forward(self, batch, num_representations=None):
        layers = torch.full((3, len(batch), batch.timesteps, 6), 0.5)
        return EncodedSentences(layers, batch.mask)

cache = Hdf5ActivationCache(sys.argv[1])
cache(Encoder(), SentenceBatch.from_padded(torch.tensor(json.load(sys.stdin)), 50), 3)
"""


def test_a_process_that_ends_has_written(path: str) -> None:
    """A process that ends writes its layers without a flush, and the next one finds them."""
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


def _wrong_layers(ids: torch.Tensor) -> Dict[bytes, Any]:
    """Maps the cache key of each sentence to wrong layers, in the shapes of the first layout."""
    layers = {}
    for row in ids:
        length = int(row.any(dim=-1).sum())
        characters = row[:length].to(torch.int16).numpy().tobytes()
        salt = (50).to_bytes(4, "little") + b"\x00"
        key = hashlib.blake2b(characters, digest_size=16, salt=salt).digest()
        layers[key] = torch.full((length + 2, 3, 6), 9.0).numpy()
    return layers


def test_a_folder_of_the_first_layout_is_left_alone(path: str) -> None:
    """Files of the first layout stay as they are, and their sentences are computed."""
    encoder, ids = _Encoder(), spell(*SENTENCES)
    old = Path(path) / f"{encoder.digest().hex()}-3-float32" / ("0123456789abcdef" * 2 + ".hdf5")
    content = write_version_1(old, _wrong_layers(ids))
    cache = Hdf5ActivationCache(path)
    for _ in range(2):
        assert torch.equal(_call(cache, encoder, ids).layers, _encoded(_Encoder(), ids).layers)
        cache.flush()
    assert encoder.batches == [[3, 1, 5, 1]] and (cache.hits, cache.misses) == (4, 4)
    assert old.read_bytes() == content and list(old.parent.iterdir()) == [old]
    (new,) = [file for file in _hdf5_files(path) if file != old]
    assert new.parent.name == f"{encoder.digest().hex()}-3-float32-v{FORMAT_VERSION}"


def test_a_file_of_the_first_layout_among_new_ones_is_set_aside(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A file of the first layout in a new subfolder is not read, and a warning names it."""
    encoder, ids = _Encoder(), spell(*SENTENCES)
    name = f"{encoder.digest().hex()}-3-float32-v{FORMAT_VERSION}"
    old = Path(path) / name / ("0123456789abcdef" * 2 + ".hdf5")
    content = write_version_1(old, _wrong_layers(ids))
    cache = Hdf5ActivationCache(path)
    assert torch.equal(_call(cache, encoder, ids).layers, _encoded(_Encoder(), ids).layers)
    assert encoder.batches == [[3, 1, 5, 1]] and cache.misses == 4
    assert old.with_suffix(".damaged").read_bytes() == content
    assert "set aside" in caplog.text and str(old) in caplog.text


def test_the_cache_key_of_a_sentence_is_its_characters(path: str) -> None:
    """The keys on disk are those that the tests of the first layout write."""
    cache, ids = Hdf5ActivationCache(path), spell(*SENTENCES)
    _call(cache, _Encoder(), ids)
    cache.flush()
    (file_path,) = _hdf5_files(path)
    with h5py.File(file_path, "r") as file:
        keys = {digest.tobytes() for digest in file["digests"][()]}
    assert keys == set(_wrong_layers(ids))
