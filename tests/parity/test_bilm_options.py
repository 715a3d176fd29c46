"""The embedder agrees with AllenNLP's, and with the oracle, for every shape of biLM."""

import itertools

import pytest
import torch

from allennlp_elmo_plugin import ElmoTokenEmbedder
from tests.parity.sides import assert_close, both_sides
from tests.support.elmo_files import elmo_arrays, elmo_options, write_elmo_files
from tests.support.oracle import (
    Oracle,
    carry_states,
    mix_layers,
    mix_without_boundaries,
)
from tests.support.sentences import spell
from tests.support.words import random_batches

LENGTHS = [[3, 5, 0], [4], [0, 2, 6, 1]]

CLIPS = {
    "clips that rarely take effect": (3.0, 3.0),
    "clips that take effect": (0.3, 0.2),
    "only the cell's clip": (0.3, None),
    "only the projection's clip": (0, 0.2),
}

ONLY_HERE = {
    "no skip connections": {"use_skip_connections": False, "n_layers": 3},
    "clips missing": {"cell_clip": "missing", "proj_clip": "missing"},
    "cell clip missing": {"cell_clip": "missing", "proj_clip": 0.2},
    "no state projection": {"cell_size": 8, "projection_dim": 8},
    "no state projection, clips that take effect": {
        "cell_size": 8,
        "projection_dim": 8,
        "cell_clip": 0.3,
        "proj_clip": 0.2,
    },
    "no state projection, no skip connections": {
        "cell_size": 8,
        "projection_dim": 8,
        "use_skip_connections": False,
    },
    "12 characters": {"max_characters": 12},
    "4 characters": {"max_characters": 4, "filters": ((1, 4), (2, 6), (4, 8))},
    "60 characters": {"max_characters": 60, "n_highway": 3, "n_layers": 4},
    "one wide filter": {"filters": ((7, 16),), "max_characters": 9},
}


@pytest.mark.parametrize(
    ("n_layers", "n_highway", "activation", "clips"),
    list(itertools.product([1, 2, 3], [0, 1, 2], ["relu", "tanh"], list(CLIPS))),
)
def test_outputs_agree_with_the_built_in(tmp_path, n_layers, n_highway, activation, clips):
    """Three batches with carried state agree for every depth, activation and clip."""
    cell_clip, proj_clip = CLIPS[clips]
    options = elmo_options(
        n_layers=n_layers,
        n_highway=n_highway,
        activation=activation,
        cell_clip=cell_clip,
        proj_clip=proj_clip,
    )
    ours, theirs = both_sides(write_elmo_files(tmp_path, options, seed=31), dropout=0.0)
    for batch in random_batches(32, LENGTHS):
        with torch.no_grad():
            assert_close(ours(spell(*batch)), theirs(spell(*batch)))


@pytest.mark.parametrize("name", list(ONLY_HERE))
def test_outputs_agree_with_the_oracle(tmp_path, name):
    """Three batches with carried state agree for shapes of biLM that the built-in refuses."""
    options = elmo_options(**ONLY_HERE[name])
    files = write_elmo_files(tmp_path, options, seed=33)
    oracle, ours = Oracle(*files), ElmoTokenEmbedder(*files, dropout=0.0)
    states = []
    for batch in random_batches(34, LENGTHS):
        expected = oracle.batch_layers(batch, states)
        states = carry_states(states, expected.states)
        with torch.no_grad():
            output = ours(spell(*batch, width=oracle.max_characters))
        assert_close(output, mix_without_boundaries(expected))


@pytest.mark.parametrize("cell_size", [5, 8])
def test_a_projection_in_the_file_is_used_with_any_shape(tmp_path, cell_size):
    """A cell as wide as its projection, or narrower, is projected if the file has weights."""
    options = elmo_options(cell_size=cell_size, projection_dim=8)
    arrays = elmo_arrays(options, 35, with_state_projection=True)
    ours, theirs = both_sides(write_elmo_files(tmp_path, options, arrays), dropout=0.0)
    for batch in random_batches(36, LENGTHS):
        with torch.no_grad():
            assert_close(ours(spell(*batch)), theirs(spell(*batch)))


@pytest.mark.parametrize("n_highway", [0, 2])
def test_a_file_without_a_word_projection_gives_unprojected_word_vectors(tmp_path, n_highway):
    """A character CNN with as many filters as dimensions may lack a projection."""
    options = elmo_options(filters=((1, 3), (3, 5)), projection_dim=8, n_highway=n_highway)
    arrays = elmo_arrays(options, 41, with_word_projection=False)
    files = write_elmo_files(tmp_path, options, arrays)
    batch = random_batches(42, LENGTHS)[2]
    with torch.no_grad():
        output = ElmoTokenEmbedder(*files, dropout=0.0)(spell(*batch))
    assert_close(output, mix_without_boundaries(Oracle(*files).batch_layers(batch)))


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_each_layer_agrees_with_the_oracle(tmp_path, layer):
    """Each layer is the oracle's, as weights of the mix that pick it show."""
    files = write_elmo_files(tmp_path, seed=37)
    picks = [1.0 if index == layer else -9e10 for index in range(3)]
    ours = ElmoTokenEmbedder(*files, dropout=0.0, scalar_mix_parameters=picks)
    batch = random_batches(38, LENGTHS)[2]
    with torch.no_grad():
        output = ours(spell(*batch))
    assert_close(output, mix_without_boundaries(Oracle(*files).batch_layers(batch), picks))


@pytest.mark.parametrize("do_layer_norm", [False, True])
def test_kept_boundaries_agree_with_the_oracle(tmp_path, do_layer_norm):
    """With kept boundaries, each row has two more vectors and is zero after them."""
    files = write_elmo_files(tmp_path, seed=39)
    ours = ElmoTokenEmbedder(
        *files, dropout=0.0, do_layer_norm=do_layer_norm, keep_sentence_boundaries=True
    )
    batch = random_batches(40, LENGTHS)[2]
    expected = Oracle(*files).batch_layers(batch)
    mixed = mix_layers(expected.layers, expected.mask, do_layer_norm=do_layer_norm)
    with torch.no_grad():
        output = ours(spell(*batch))
    assert_close(output, mixed * expected.mask[..., None])
