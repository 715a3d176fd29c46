"""Words seen last."""

import copy
import logging
import pickle
from typing import List

import pytest
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from hypothesis import given
from hypothesis import strategies as st

from allennlp_elmo_plugin import ElmoBilm, ElmoOptions, LruWordCache, WordCache
from allennlp_elmo_plugin.network.char_cnn import CharCnn
from allennlp_elmo_plugin.network.spelling import spell_word

OPTIONS = ElmoOptions(((1, 4), (2, 4)), projection_dim=6, cell_size=8, num_layers=1)


class _Counting(torch.nn.Module):
    """A word's vector is its spelling times a weight. Counts the words that it is asked for."""

    def __init__(self, requires_grad: bool = False) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1), requires_grad=requires_grad)
        self.asked: List[int] = []

    def forward(self, character_ids: torch.Tensor) -> torch.Tensor:
        self.asked += [1] * len(character_ids)
        return character_ids.float() * self.scale


def _spelled(words: List[str]) -> torch.Tensor:
    spelled = [spell_word(word) for word in words]
    return torch.tensor(spelled, dtype=torch.long).view(len(words), 50)


@given(
    batches=st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=12), max_size=8),
    capacity=st.integers(1, 10),
)
def test_every_word_gets_its_own_vector(batches: List[List[str]], capacity: int) -> None:
    """Whatever came before, and however few words are kept, vectors are those of no cache."""
    cache, embed = LruWordCache(capacity), _Counting()
    for words in batches:
        assert torch.equal(cache(_spelled(words), None, embed), _spelled(words).float())


def test_a_word_is_computed_once() -> None:
    """Neither a repetition within a batch nor one in the next is computed."""
    cache, embed = LruWordCache(), _Counting()
    cache(_spelled(["the", "cat", "the"]), None, embed)
    cache(_spelled(["the", "dog"]), None, embed)
    assert len(embed.asked) == 3
    assert (cache.hits, cache.misses) == (2, 3)


def test_the_word_used_longest_ago_goes_first() -> None:
    """Of three words in a cache for two, the one that was not used again is computed again."""
    cache, embed = LruWordCache(capacity=2), _Counting()
    for word in ("old", "kept", "old", "new"):
        cache(_spelled([word]), None, embed)
    cache.hits = cache.misses = 0
    cache(_spelled(["old", "new"]), None, embed)
    assert (cache.hits, cache.misses) == (2, 0)
    cache(_spelled(["kept"]), None, embed)
    assert cache.misses == 1


def test_bytes_grow_with_the_words_and_stop_at_the_capacity() -> None:
    """Memory is taken for words that were seen, and not for more than are to be kept."""
    cache, embed = LruWordCache(capacity=5000), _Counting()
    assert cache.num_bytes == 0
    sizes = []
    for start in range(0, 12000, 1000):
        cache(_spelled([str(number) for number in range(start, start + 1000)]), None, embed)
        sizes.append(cache.num_bytes)
    assert sizes[0] < sizes[2] < sizes[5]
    assert sizes[6] == sizes[-1] < 2 * 5000 * (50 * 4 + 150)


def test_changed_weights_are_noticed() -> None:
    """After a change in place or a new state dict, nothing that was kept is believed."""
    cache, embed = LruWordCache(), _Counting()
    ids = _spelled(["the"])
    cache(ids, None, embed)
    with torch.no_grad():
        embed.scale.mul_(2)
    assert torch.equal(cache(ids, None, embed), 2 * ids.float())
    embed.load_state_dict({"scale": torch.tensor([3.0])})
    assert torch.equal(cache(ids, None, embed), 3 * ids.float())


def test_it_is_off_while_the_character_cnn_is_trained(caplog: pytest.LogCaptureFixture) -> None:
    """Every word is computed, with its gradient, and the log says why, once."""
    caplog.set_level(logging.INFO)
    cache, embed = LruWordCache(), _Counting(requires_grad=True)
    ids = _spelled(["the"])
    for _ in range(2):
        cache(ids, None, embed).sum().backward()
    assert len(embed.asked) == 2 and embed.scale.grad is not None
    assert caplog.text.count("'lru' is off: the character CNN is trained") == 1


def test_training_the_character_cnn_frees_what_was_kept() -> None:
    """Words that were kept while it was frozen take no memory any more."""
    cache, embed = LruWordCache(), _Counting()
    cache(_spelled(["the"]), None, embed)
    embed.requires_grad_()
    cache(_spelled(["the"]), None, embed)
    assert cache.num_bytes == 0


def test_autocast_does_not_round_what_is_kept() -> None:
    """A word that was first seen under autocast has its vector in full precision ever after."""
    torch.manual_seed(0)
    embed = CharCnn(OPTIONS).requires_grad_(False)
    cache, ids = LruWordCache(), _spelled(["the", "cat"])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cache(ids, None, embed)
    vectors = cache(ids, None, embed)
    assert cache.misses == 2 and vectors.dtype == torch.float32
    assert torch.allclose(vectors, embed(ids), atol=1e-6)


def test_it_is_right_beside_a_real_character_cnn() -> None:
    """Vectors are those of the character CNN, up to rounding."""
    torch.manual_seed(0)
    embed = CharCnn(OPTIONS).requires_grad_(False)
    cache, ids = LruWordCache(), _spelled(["the", "caf\u00e9", "", "the", "x" * 60])
    for _ in range(2):
        assert torch.allclose(cache(ids, None, embed), embed(ids), atol=1e-6)


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_it_is_right_in_reduced_precision(precision: str) -> None:
    """Loading another matrix, which is packed and no parameter, empties it as well."""
    torch.manual_seed(0)
    options = ElmoOptions(((1, 16), (2, 16)), projection_dim=16, cell_size=16, num_layers=1)
    first, second = ElmoBilm(options), ElmoBilm(options)
    first.reduce_precision(precision)
    first.requires_grad_(False)
    cache, ids = LruWordCache(), _spelled(["the", "cat"])
    cache(ids, None, first.char_cnn)
    name = "char_cnn.projection.weight"
    first.load_state_dict({name: second.state_dict()[name]}, strict=False)
    assert torch.equal(cache(ids, None, first.char_cnn), first.char_cnn(ids))


def test_inference_mode_leaves_it_usable() -> None:
    """What was kept in inference mode can be read and added to outside of it, and back."""
    cache, embed = LruWordCache(), _Counting()
    with torch.inference_mode():
        cache(_spelled(["the"]), None, embed)
    vectors = cache(_spelled(["the", "cat"]), None, embed)
    (vectors * torch.ones(1, requires_grad=True)).sum().backward()
    with torch.inference_mode():
        assert torch.equal(cache(_spelled(["dog"]), None, embed), _spelled(["dog"]).float())


def test_copies_and_pickles_are_empty() -> None:
    """A copy computes anew, and leaves the original as it was."""
    cache, embed = LruWordCache(), _Counting()
    cache(_spelled(["the"]), None, embed)
    for twin in (copy.deepcopy(cache), pickle.loads(pickle.dumps(cache))):
        assert twin.num_bytes == 0
        assert torch.equal(twin(_spelled(["the"]), None, embed), _spelled(["the"]).float())
    assert not cache.state_dict()


def test_it_is_the_default() -> None:
    """A config that names no word cache gets this one."""
    assert isinstance(WordCache.from_params(Params({})), LruWordCache)


def test_a_capacity_of_nothing_is_refused() -> None:
    """The error names the cache that keeps nothing."""
    with pytest.raises(ConfigurationError, match="at least 1, got 0.*'none'"):
        LruWordCache(capacity=0)
