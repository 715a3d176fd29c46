"""The oracle agrees with AllenNLP's own class for every biLM that the class accepts."""

import numpy
import pytest
import torch
from allennlp.modules.elmo import batch_to_ids

from tests.support.builtin import BuiltInElmo, BuiltInEmbedder
from tests.support.elmo_files import elmo_arrays, elmo_options, write_elmo_files
from tests.support.oracle import (
    Oracle,
    carry_states,
    character_ids,
    mix_layers,
    mix_without_boundaries,
)
from tests.support.words import WORD_LIST, WORDS, random_batches

TOLERANCE = 1e-5

LENGTHS = [[3, 5, 0], [4], [0, 2, 6, 1, 3], [2, 2]]

OPTIONS = {
    "defaults": {},
    "one layer, no highway, tanh": {"n_layers": 1, "n_highway": 0, "activation": "tanh"},
    "three layers, two highways": {"n_layers": 3, "n_highway": 2},
    "clips that take effect": {"cell_clip": 0.3, "proj_clip": 0.2},
    "no clips": {"cell_clip": None, "proj_clip": None},
    "zero clips": {"cell_clip": 0, "proj_clip": 0.0},
    "one wide filter": {"filters": ((7, 16),)},
    "cell as wide as the projection": {"cell_size": 8},
    "cell narrower than the projection": {"cell_size": 5},
}


def difference(ours, theirs):
    """Returns the largest absolute difference of two arrays of the same shape."""
    theirs = numpy.asarray(theirs)
    assert ours.shape == theirs.shape
    return numpy.abs(ours - theirs).max() if ours.size else 0.0


@pytest.mark.parametrize("word", list(WORDS.values()), ids=list(WORDS))
def test_characters_are_those_of_allennlp_less_one(word):
    """A word's rows in the character embedding are AllenNLP's ids without the raise by 1."""
    theirs = batch_to_ids([[word]])[0, 0] - 1
    assert character_ids(word) == theirs.tolist()


@pytest.mark.parametrize("name", list(OPTIONS))
def test_all_layers_agree_over_batches_with_carried_state(tmp_path, name):
    """Every layer, mask and carried state agrees over four batches of changing size."""
    options = elmo_options(**OPTIONS[name])
    files = write_elmo_files(tmp_path, options, elmo_arrays(options, 3, True))
    oracle = Oracle(*files)
    theirs = BuiltInElmo(*files, num_output_representations=1, dropout=0.0)._elmo_lstm
    states = []
    for batch in random_batches(11, LENGTHS):
        result = oracle.batch_layers(batch, states)
        states = carry_states(states, result.states)
        with torch.no_grad():
            expected = theirs(batch_to_ids(batch))
        assert numpy.array_equal(result.mask, expected["mask"].numpy())
        activations = numpy.stack([layer.numpy() for layer in expected["activations"]])
        assert difference(result.layers, activations) < TOLERANCE
    hidden, cell = (state.numpy() for state in theirs._elmo_lstm._states)
    for layer in range(options["lstm"]["n_layers"]):
        for index, expected_state in enumerate((hidden, cell)):
            rows = [
                numpy.concatenate([row[0, layer][index], row[1, layer][index]]) for row in states
            ]
            assert difference(numpy.array(rows), expected_state[layer]) < TOLERANCE


def test_words_of_every_kind_agree(tmp_path):
    """A sentence with words of every kind has AllenNLP's layers."""
    files = write_elmo_files(tmp_path, seed=5)
    theirs = BuiltInElmo(*files, num_output_representations=1, dropout=0.0)._elmo_lstm
    with torch.no_grad():
        expected = theirs(batch_to_ids([WORD_LIST]))["activations"]
    result = Oracle(*files).batch_layers([WORD_LIST])
    assert difference(result.layers, numpy.stack(expected)) < TOLERANCE


@pytest.mark.parametrize("do_layer_norm", [False, True])
@pytest.mark.parametrize("scalar_parameters", [None, [0.5, -1.0, 2.0], [-9e10, 1, -9e10]])
def test_the_mix_agrees(tmp_path, do_layer_norm, scalar_parameters):
    """The scalar mix agrees with AllenNLP's embedder, with layer norm and with given weights."""
    files = write_elmo_files(tmp_path, seed=6)
    theirs = BuiltInEmbedder(
        *files, do_layer_norm=do_layer_norm, dropout=0.0, scalar_mix_parameters=scalar_parameters
    )
    batch = random_batches(12, LENGTHS)[2]
    with torch.no_grad():
        theirs._elmo.scalar_mix_0.gamma.fill_(1.75)
        expected = theirs(batch_to_ids(batch))
    result = Oracle(*files).batch_layers(batch)
    mixed = mix_without_boundaries(result, scalar_parameters, 1.75, do_layer_norm)
    assert difference(mixed, expected) < TOLERANCE


def test_the_mix_with_boundaries_agrees(tmp_path):
    """The mix with boundaries agrees with AllenNLP's."""
    files = write_elmo_files(tmp_path, seed=7)
    theirs = BuiltInElmo(*files, 1, dropout=0.0, keep_sentence_boundaries=True)
    batch = random_batches(13, LENGTHS)[2]
    with torch.no_grad():
        expected = theirs(batch_to_ids(batch))["elmo_representations"][0]
    result = Oracle(*files).batch_layers(batch)
    assert difference(mix_layers(result.layers, result.mask), expected) < TOLERANCE


def test_more_timesteps_are_only_padding(tmp_path):
    """More timesteps add zeros that are masked."""
    oracle = Oracle(*write_elmo_files(tmp_path, seed=8))
    batch = random_batches(14, LENGTHS)[0]
    short, long = oracle.batch_layers(batch), oracle.batch_layers(batch, timesteps=9)
    assert numpy.array_equal(long.layers[:, :, : short.layers.shape[2]], short.layers)
    assert not long.layers[:, :, short.layers.shape[2] :].any()
    assert not long.mask[:, short.mask.shape[1] :].any()


@pytest.mark.parametrize("clip", ["cell_clip", "proj_clip"])
def test_small_clips_take_effect(tmp_path, clip):
    """Small clips change the layers by far more than the tolerance."""
    arrays = elmo_arrays(elmo_options(), 3)
    batch = random_batches(11, LENGTHS)[2]
    layers = [
        Oracle(*write_elmo_files(tmp_path / name, elmo_options(**{clip: limit}), arrays))
        .batch_layers(batch)
        .layers
        for name, limit in (("off", None), ("small", 0.2))
    ]
    assert difference(*layers) > 0.1


def test_a_missing_clip_is_no_clip(tmp_path):
    """Options without a clip's key give the same layers as a clip of null."""
    arrays = elmo_arrays(elmo_options(), 3)
    batch = random_batches(11, LENGTHS)[0]
    layers = [
        Oracle(*write_elmo_files(tmp_path / str(limit), options, arrays)).batch_layers(batch).layers
        for limit in ("missing", None)
        for options in [elmo_options(cell_clip=limit, proj_clip=limit)]
    ]
    assert numpy.array_equal(*layers)


def test_skip_connections_add_the_input_from_the_second_layer_on(tmp_path):
    """Skip connections add the input to the second layer, and change nothing in the first."""
    arrays = elmo_arrays(elmo_options(), 3)
    batch = random_batches(11, LENGTHS)[0]
    added, plain = [
        Oracle(
            *write_elmo_files(tmp_path / str(skip), elmo_options(use_skip_connections=skip), arrays)
        ).batch_layers(batch)
        for skip in (True, False)
    ]
    assert numpy.array_equal(added.layers[:2], plain.layers[:2])
    assert difference(added.layers[2], plain.layers[2] + plain.layers[1]) < 1e-12


def test_a_cell_without_projection_is_one_projected_by_the_identity(tmp_path):
    """Layers without a projection are those with an identity matrix as projection."""
    options = elmo_options(cell_size=8, projection_dim=8, proj_clip=None)
    bare = elmo_arrays(options, 3)
    assert not any(name.endswith("W_P_0") for name in bare)
    identity = dict(bare)
    for name in bare:
        if name.endswith("/B"):
            identity[name[: -len("B")] + "W_P_0"] = numpy.eye(8, dtype="float32")
    batch = random_batches(11, LENGTHS)[0]
    results = [
        Oracle(*write_elmo_files(tmp_path / name, options, arrays)).batch_layers(batch).layers
        for name, arrays in (("bare", bare), ("identity", identity))
    ]
    assert difference(*results) < 1e-12


def test_fewer_characters_cut_long_words_and_change_no_short_one(tmp_path):
    """A biLM of 12 characters per word cuts long words and gives short ones the same vectors."""
    arrays = elmo_arrays(elmo_options(), 3)
    short, full = [
        Oracle(*write_elmo_files(tmp_path / str(size), elmo_options(max_characters=size), arrays))
        for size in (12, 50)
    ]
    assert difference(short.word_vector("house"), full.word_vector("house")) < 1e-12
    assert difference(short.word_vector("abcdefghijklm"), short.word_vector("abcdefghij")) == 0.0
    assert difference(full.word_vector("abcdefghijklm"), full.word_vector("abcdefghij")) > 1e-3
