"""The embedder agrees with AllenNLP's over every combination of its parameters."""

import itertools

import pytest
import torch

from allennlp_elmo_plugin import ElmoTokenEmbedder
from tests.parity.sides import (
    CACHED_WORDS,
    assert_close,
    both_sides,
)
from tests.support.builtin import BuiltInEmbedder
from tests.support.elmo_files import elmo_options, write_elmo_files
from tests.support.sentences import spell, word_ids
from tests.support.words import random_batches

LENGTHS = [[3, 5, 0], [4], [0, 2, 6, 1]]

MODES = {
    "training, no dropout": (True, 0.0),
    "evaluating, dropout 0.5": (False, 0.5),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Files of a biLM of two layers, so wide that no word vector is negative throughout."""
    return write_elmo_files(
        tmp_path_factory.mktemp("elmo"), elmo_options(projection_dim=16), seed=21
    )


@pytest.mark.parametrize(
    ("do_layer_norm", "mode", "requires_grad", "projection_dim", "cached", "scalar_mix_parameters"),
    list(
        itertools.product(
            [False, True],
            list(MODES),
            [False, True],
            [None, 5],
            [None, CACHED_WORDS],
            [None, [0.5, -1.0, 2.0], [-9e10, 1, -9e10]],
        )
    ),
)
def test_outputs_agree_over_batches_with_carried_state(
    files, do_layer_norm, mode, requires_grad, projection_dim, cached, scalar_mix_parameters
):
    """Three batches of changing size, with empty rows, have the same outputs."""
    training, dropout = MODES[mode]
    ours, theirs = both_sides(
        files,
        training,
        do_layer_norm=do_layer_norm,
        dropout=dropout,
        requires_grad=requires_grad,
        projection_dim=projection_dim,
        vocab_to_cache=cached,
        scalar_mix_parameters=scalar_mix_parameters,
    )
    assert ours.get_output_dim() == theirs.get_output_dim()
    words = CACHED_WORDS[1:] if cached else ["the", "house", "<S>", "", "\U0001f600", "x" * 60]
    for batch in random_batches(22, LENGTHS, words):
        inputs = [spell(*batch)]
        if cached:
            inputs.append(word_ids(CACHED_WORDS, *batch))
        with torch.no_grad():
            assert_close(ours(*inputs), theirs(*inputs))


@pytest.mark.parametrize("projection_dim", [None, 5])
def test_dropout_with_one_seed_drops_the_same(files, projection_dim):
    """Training drops the same values on both sides with the same random seed."""
    ours, theirs = both_sides(files, True, dropout=0.5, projection_dim=projection_dim)
    outputs = []
    for side in (ours, theirs):
        torch.manual_seed(7)
        outputs.append([side(spell(*b)) for b in random_batches(23, LENGTHS)])
    for left, right in zip(*outputs):
        assert_close(left, right)


def test_parameters_can_be_given_by_position(files):
    """The first eight parameters have the built-in's order."""
    arguments = (*files, True, 0.25, True, 4, ["@@PADDING@@", "a"], [1.0, 2.0, 3.0])
    ours, theirs = ElmoTokenEmbedder(*arguments), BuiltInEmbedder(*arguments)
    batch = spell("a b", "")
    assert ours.get_output_dim() == theirs.get_output_dim() == 4
    projection = {k: v for k, v in theirs.state_dict().items() if "_projection" in k}
    ours.load_state_dict(projection, strict=False)
    assert_close(ours.eval()(batch), theirs.eval()(batch))


@pytest.mark.parametrize("wrapping", [(2, 2), (3, 1), (2, 1, 2)])
@pytest.mark.parametrize("projection_dim", [None, 5])
@pytest.mark.parametrize("cached", [None, CACHED_WORDS])
def test_inputs_of_more_dimensions_agree(files, wrapping, projection_dim, cached):
    """Outputs for inputs of four and five dimensions have the built-in's shape and values."""
    ours, theirs = both_sides(
        files, dropout=0.0, projection_dim=projection_dim, vocab_to_cache=cached
    )
    rows = int(torch.tensor(wrapping).prod())
    for batch in random_batches(24, [[2, 5, 0, 3], [1, 1, 4, 0]], CACHED_WORDS[1:]):
        characters, words = spell(*batch[:rows]), word_ids(CACHED_WORDS, *batch[:rows])
        inputs = [characters.view(*wrapping, -1, 50)]
        if cached:
            inputs.append(words.view(*wrapping, -1))
        with torch.no_grad():
            assert_close(ours(*inputs), theirs(*inputs))


def test_the_scalar_mix_follows_its_parameters(files):
    """Outputs agree with other values in the scalar mix."""
    ours, theirs = both_sides(files, dropout=0.0)
    state = theirs.state_dict()
    for name in state:
        if "scalar_mix" in name:
            state[name] = torch.randn_like(state[name])
    theirs.load_state_dict(state)
    ours.load_state_dict(state)
    for batch in random_batches(25, LENGTHS):
        with torch.no_grad():
            assert_close(ours(spell(*batch)), theirs(spell(*batch)))


@pytest.mark.parametrize("given", [None, [0.5, -1.0, 2.0]])
@pytest.mark.parametrize("requires_grad", [False, True])
def test_the_same_parameters_are_trained(files, given, requires_grad):
    """As many parameters are trained as in the built-in."""
    ours, theirs = both_sides(
        files, requires_grad=requires_grad, scalar_mix_parameters=given, projection_dim=3
    )
    trained = [
        sum(parameter.numel() for parameter in side.parameters() if parameter.requires_grad)
        for side in (ours, theirs)
    ]
    assert trained[0] == trained[1]
