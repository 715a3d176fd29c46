"""The word cache of the words that were used last."""

import copy
import logging
import pickle
from pathlib import Path
from typing import List

import pytest
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from hypothesis import given
from hypothesis import strategies as st

from allennlp_elmo_plugin import ElmoBilm, ElmoOptions, LruWordCache, WordCache
from allennlp_elmo_plugin.network.char_cnn import CharCnn
from tests.embedder.word_cache.counting import CountingCnn
from tests.support.elmo_files import write_elmo_files
from tests.support.embedders import embedder
from tests.support.sentences import spell, spell_words

OPTIONS = ElmoOptions(((1, 4), (2, 4)), projection_dim=6, cell_size=8, num_layers=1)


@given(
    batches=st.lists(st.lists(st.sampled_from("abcdefgh"), unique=True), max_size=8),
    capacity=st.integers(1, 10),
)
def test_every_word_gets_its_own_vector(batches: List[List[str]], capacity: int) -> None:
    """For any batches and capacity, vectors are those of the character CNN."""
    cache, embed = LruWordCache(capacity), CountingCnn()
    for words in batches:
        assert torch.equal(cache(spell_words(words), None, embed), spell_words(words).float())


def test_a_word_is_computed_once() -> None:
    """A word of an earlier batch is a hit and is not computed again."""
    cache, embed = LruWordCache(), CountingCnn()
    cache(spell_words(["the", "cat"]), None, embed)
    cache(spell_words(["the", "dog"]), None, embed)
    cache(spell_words(["dog", "the"]), None, embed)
    assert embed.computed == spell_words(["the", "cat", "dog"]).tolist()
    assert (cache.hits, cache.misses) == (3, 3)


def test_a_word_is_counted_once_for_a_batch(tmp_path: Path) -> None:
    """However often a batch has a word, it is one hit or one miss; boundaries are words."""
    cache = LruWordCache()
    module = embedder(write_elmo_files(tmp_path), word_cache=cache)
    module(spell("the cat the", "the"))
    assert (cache.hits, cache.misses) == (0, 4)
    module(spell("the dog dog"))
    assert (cache.hits, cache.misses) == (3, 5)


def test_the_word_used_longest_ago_goes_first() -> None:
    """Of three words in a cache for two, the one that was not used again is evicted."""
    cache, embed = LruWordCache(capacity=2), CountingCnn()
    for word in ("old", "evicted", "old", "new"):
        cache(spell_words([word]), None, embed)
    cache.hits = cache.misses = 0
    cache(spell_words(["old", "new"]), None, embed)
    assert (cache.hits, cache.misses) == (2, 0)
    cache(spell_words(["evicted"]), None, embed)
    assert cache.misses == 1


def test_a_batch_may_exceed_the_capacity() -> None:
    """A batch of more words than the capacity is right, and leaves the last words behind."""
    cache, embed = LruWordCache(capacity=2), CountingCnn()
    words = [str(number) for number in range(9)]
    ids = spell_words(words)
    assert torch.equal(cache(ids, None, embed), ids.float())
    assert torch.equal(cache(spell_words(words[-2:]), None, embed), ids[-2:].float())
    assert (cache.hits, cache.misses) == (2, 9)


def test_bytes_grow_with_the_words_and_stop_at_the_capacity() -> None:
    """Memory is taken for the words that were seen, up to the capacity."""
    cache, embed = LruWordCache(capacity=5000), CountingCnn()
    assert cache.num_bytes == 0
    sizes = []
    for start in range(0, 12000, 1000):
        cache(spell_words([str(number) for number in range(start, start + 1000)]), None, embed)
        sizes.append(cache.num_bytes)
    assert sizes[0] < sizes[2] < sizes[5]
    assert sizes[6] == sizes[-1] < 2 * 5000 * (50 * 4 + 150)


def test_changed_weights_are_noticed() -> None:
    """After a change in place or a new state dict, the cache is empty."""
    cache, embed = LruWordCache(), CountingCnn()
    ids = spell_words(["the"])
    cache(ids, None, embed)
    with torch.no_grad():
        embed.scale.mul_(2)
    assert torch.equal(cache(ids, None, embed), 2 * ids.float())
    embed.load_state_dict({"scale": torch.tensor([3.0])})
    assert torch.equal(cache(ids, None, embed), 3 * ids.float())


def test_it_is_off_while_the_character_cnn_is_trained(caplog: pytest.LogCaptureFixture) -> None:
    """Every word is computed, with its gradient, and the log says why, once."""
    caplog.set_level(logging.INFO)
    cache, embed = LruWordCache(), CountingCnn(requires_grad=True)
    ids = spell_words(["the"])
    for _ in range(2):
        cache(ids, None, embed).sum().backward()
    assert len(embed.computed) == 2 and embed.scale.grad is not None
    assert caplog.text.count("'lru' is off while the character CNN is trained") == 1


def test_training_the_character_cnn_frees_the_vectors() -> None:
    """Words that were cached while it was frozen take no memory any more."""
    cache, embed = LruWordCache(), CountingCnn()
    cache(spell_words(["the"]), None, embed)
    embed.requires_grad_()
    cache(spell_words(["the"]), None, embed)
    assert cache.num_bytes == 0


def test_autocast_does_not_round_vectors() -> None:
    """A word that was first seen under autocast is cached in full precision."""
    torch.manual_seed(0)
    embed = CharCnn(OPTIONS).requires_grad_(False)
    cache, ids = LruWordCache(), spell_words(["the", "cat"])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cache(ids, None, embed)
    vectors = cache(ids, None, embed)
    assert cache.misses == 2 and vectors.dtype == torch.float32
    assert torch.allclose(vectors, embed(ids), atol=1e-6)


def test_it_is_right_beside_a_real_character_cnn() -> None:
    """Vectors are those of the character CNN, up to rounding."""
    torch.manual_seed(0)
    embed = CharCnn(OPTIONS).requires_grad_(False)
    cache, ids = LruWordCache(), spell_words(["the", "caf\u00e9", "", "x" * 60])
    for _ in range(2):
        assert torch.allclose(cache(ids, None, embed), embed(ids), atol=1e-6)


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_it_is_right_in_reduced_precision(precision: str) -> None:
    """Loading another matrix, which is tiled and no parameter, empties the cache as well."""
    torch.manual_seed(0)
    options = ElmoOptions(((1, 16), (2, 16)), projection_dim=16, cell_size=16, num_layers=1)
    first, second = ElmoBilm(options), ElmoBilm(options)
    first.reduce_precision(precision)
    first.requires_grad_(False)
    cache, ids = LruWordCache(), spell_words(["the", "cat"])
    cache(ids, None, first.char_cnn)
    name = "_token_embedder._projection.weight"
    first.load_state_dict({name: second.state_dict()[name]}, strict=False)
    assert torch.equal(cache(ids, None, first.char_cnn), first.char_cnn(ids))


def test_inference_mode_leaves_it_usable() -> None:
    """A cache of inference mode can be read and added to outside of it, and back."""
    cache, embed = LruWordCache(), CountingCnn()
    with torch.inference_mode():
        cache(spell_words(["the"]), None, embed)
    vectors = cache(spell_words(["the", "cat"]), None, embed)
    (vectors * torch.ones(1, requires_grad=True)).sum().backward()
    with torch.inference_mode():
        assert torch.equal(cache(spell_words(["dog"]), None, embed), spell_words(["dog"]).float())


def test_copies_and_pickles_are_empty() -> None:
    """A copy computes anew, and leaves the original as it was."""
    cache, embed = LruWordCache(), CountingCnn()
    cache(spell_words(["the"]), None, embed)
    for twin in (copy.deepcopy(cache), pickle.loads(pickle.dumps(cache))):
        assert twin.num_bytes == 0
        assert torch.equal(twin(spell_words(["the"]), None, embed), spell_words(["the"]).float())
    assert not cache.state_dict()


def test_it_is_the_default() -> None:
    """A config that names no word cache gets this one."""
    assert isinstance(WordCache.from_params(Params({})), LruWordCache)


def test_a_capacity_of_nothing_is_refused() -> None:
    """The error names the word cache that caches nothing."""
    with pytest.raises(ConfigurationError, match="at least 1, got 0.*'none'"):
        LruWordCache(capacity=0)
