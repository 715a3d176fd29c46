"""The built-in's state dict loads into the plugin's embedder and gives the same output."""

import pytest
import torch

from allennlp_elmo_plugin import ElmoTokenEmbedder
from tests.parity.sides import CACHED_WORDS, assert_close
from tests.support.builtin import BuiltInEmbedder
from tests.support.elmo_files import elmo_options, write_elmo_files
from tests.support.sentences import spell, word_ids
from tests.support.words import random_batches

LENGTHS = [[3, 5, 0], [4], [0, 2, 6, 1]]

ARGUMENTS = {
    "defaults": {},
    "projection": {"projection_dim": 5},
    "fine-tuned": {"requires_grad": True},
    "fixed mix": {"scalar_mix_parameters": [1.0, 0.0, -1.0]},
    "layer norm": {"do_layer_norm": True},
}


def scrambled(embedder, seed):
    """Returns a state dict like the embedder's with other values."""
    generator = torch.Generator().manual_seed(seed)
    return {
        key: value + 0.1 * torch.randn(value.shape, generator=generator)
        for key, value in embedder.state_dict().items()
    }


@pytest.mark.parametrize("name", list(ARGUMENTS))
@pytest.mark.parametrize("n_highway", [0, 2])
def test_the_built_in_state_dict_loads_strictly(tmp_path, name, n_highway):
    """The built-in's state dict loads without missing or unexpected keys, and outputs agree."""
    files = write_elmo_files(tmp_path, elmo_options(n_highway=n_highway, n_layers=2), seed=71)
    theirs = BuiltInEmbedder(*files, dropout=0.0, **ARGUMENTS[name])
    state = scrambled(theirs, 72)
    theirs.load_state_dict(state)
    ours = ElmoTokenEmbedder(*files, dropout=0.0, **ARGUMENTS[name])
    ours.load_state_dict(state)
    for batch in random_batches(73, LENGTHS):
        with torch.no_grad():
            assert_close(ours(spell(*batch)), theirs(spell(*batch)))


def test_our_own_state_dict_loads_strictly(tmp_path):
    """The plugin's own state dict loads, and outputs are the same to the bit."""
    files = write_elmo_files(tmp_path, seed=74)
    saved = ElmoTokenEmbedder(*files, projection_dim=5)
    saved.load_state_dict(scrambled(saved, 75))
    loaded = ElmoTokenEmbedder(*files, projection_dim=5)
    loaded.load_state_dict(saved.state_dict())
    batch = spell(*random_batches(76, LENGTHS)[2])
    with torch.no_grad():
        assert torch.equal(saved.eval()(batch), loaded.eval()(batch))


def test_loading_leaves_the_given_state_dict_alone(tmp_path):
    """Loading the built-in's state dict does not rename keys in the caller's dict."""
    files = write_elmo_files(tmp_path, seed=74)
    state = BuiltInEmbedder(*files, projection_dim=5).state_dict()
    keys = list(state)
    ElmoTokenEmbedder(*files, projection_dim=5).load_state_dict(state)
    assert list(state) == keys


def test_a_state_dict_with_a_word_cache_loads(tmp_path):
    """A state dict of the built-in with cached words loads, and vectors of these words agree."""
    files = write_elmo_files(tmp_path, elmo_options(projection_dim=16), seed=77)
    theirs = BuiltInEmbedder(*files, dropout=0.0, vocab_to_cache=CACHED_WORDS)
    ours = ElmoTokenEmbedder(*files, dropout=0.0, vocab_to_cache=CACHED_WORDS)
    ours.load_state_dict(theirs.state_dict())
    for batch in random_batches(78, LENGTHS, CACHED_WORDS[1:]):
        inputs = spell(*batch), word_ids(CACHED_WORDS, *batch)
        with torch.no_grad():
            assert_close(ours(*inputs), theirs(*inputs))


def test_loading_other_weights_changes_cached_words(tmp_path):
    """Loading other weights recomputes the cached word vectors."""
    options = elmo_options(projection_dim=16)
    first = write_elmo_files(tmp_path / "first", options, seed=79)
    second = write_elmo_files(tmp_path / "second", options, seed=80)
    ours = ElmoTokenEmbedder(*first, dropout=0.0, vocab_to_cache=CACHED_WORDS)
    batch = random_batches(81, LENGTHS, CACHED_WORDS[1:])[0]
    inputs = spell(*batch), word_ids(CACHED_WORDS, *batch)
    ours.load_state_dict(
        ElmoTokenEmbedder(*second, dropout=0.0, vocab_to_cache=CACHED_WORDS).state_dict()
    )
    expected = BuiltInEmbedder(*second, dropout=0.0, vocab_to_cache=CACHED_WORDS)
    with torch.no_grad():
        assert_close(ours(*inputs), expected(*inputs))


def test_parameters_have_the_order_of_the_built_in(tmp_path):
    """
    Parameters have the built-in's order.

    An optimizer's state knows parameters by their position alone, so a training that began with the
    built-in can only be recovered if the order is the same.
    """
    files = write_elmo_files(tmp_path, elmo_options(n_layers=3, n_highway=2), seed=83)
    theirs, ours = (
        side(*files, requires_grad=True, projection_dim=5)
        for side in (BuiltInEmbedder, ElmoTokenEmbedder)
    )
    positions = {
        name: torch.full_like(parameter, position)
        for position, (name, parameter) in enumerate(theirs.named_parameters())
    }
    ours.load_state_dict(positions, strict=False)
    found = [int(parameter.flatten()[0]) for parameter in ours.parameters()]
    assert found == list(range(len(positions)))


def test_a_missing_key_is_refused(tmp_path):
    """A state dict without a parameter is refused, and the message has AllenNLP's name of it."""
    files = write_elmo_files(tmp_path, seed=82)
    ours = ElmoTokenEmbedder(*files)
    state = BuiltInEmbedder(*files).state_dict()
    del state["_elmo._elmo_lstm._elmo_lstm.forward_layer_0.input_linearity.weight"]
    with pytest.raises(RuntimeError, match=r"Missing key.*forward_layer_0\.input_linearity"):
        ours.load_state_dict(state)


def test_an_unexpected_key_is_refused(tmp_path):
    """A state dict with one layer more is refused, as by any module."""
    files = write_elmo_files(tmp_path, seed=82)
    ours = ElmoTokenEmbedder(*files)
    state = BuiltInEmbedder(*files).state_dict()
    state["_elmo._elmo_lstm._elmo_lstm.forward_layer_2.input_linearity.weight"] = torch.ones(1)
    with pytest.raises(RuntimeError, match=r"Unexpected key.*forward_layer_2\.input_linearity"):
        ours.load_state_dict(state)
