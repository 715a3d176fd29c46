"""Gradients and training steps agree with AllenNLP's class and with the oracle."""

import numpy
import pytest
import torch

from allennlp_elmo_plugin import ElmoTokenEmbedder
from tests.parity.sides import (
    CACHED_WORDS,
    assert_close,
    both_sides,
)
from tests.support.elmo_files import elmo_arrays, elmo_options, write_elmo_files
from tests.support.oracle import Oracle, mix_without_boundaries
from tests.support.sentences import spell, word_ids
from tests.support.words import random_batches

LENGTHS = [[3, 5, 0], [4], [0, 2, 6, 1]]

# Larger steps let the outputs grow to 25, where six roundings of float32 reach the tolerance.
LEARNING_RATE = 0.005

OPTIONS = {
    "defaults": {},
    "clips that take effect": {"cell_clip": 0.5, "proj_clip": 0.4},
    "three layers, two highways, tanh": {"n_layers": 3, "n_highway": 2, "activation": "tanh"},
    "one layer, no highway": {"n_layers": 1, "n_highway": 0},
}


def loss_of(output, seed=0):
    """Returns a weighted sum of an output, with weights of both signs drawn by `seed`."""
    weights = torch.randn(output.shape, generator=torch.Generator().manual_seed(seed))
    return (output * weights).sum() / output.shape[0]


@pytest.mark.parametrize("do_layer_norm", [False, True])
@pytest.mark.parametrize("name", list(OPTIONS))
def test_the_gradient_of_every_parameter_agrees(tmp_path, name, do_layer_norm):
    """Every parameter of the biLM, the mix and the projection has AllenNLP's gradient."""
    files = write_elmo_files(tmp_path, elmo_options(**OPTIONS[name]), seed=61)
    ours, theirs = both_sides(
        files, True, dropout=0.0, requires_grad=True, projection_dim=5, do_layer_norm=do_layer_norm
    )
    for batch in random_batches(62, LENGTHS):
        for side in (ours, theirs):
            side.zero_grad()
            loss_of(side(spell(*batch))).backward()
        gradients = {key: parameter.grad for key, parameter in theirs.named_parameters()}
        assert all(gradient.abs().max() > 0 for gradient in gradients.values())
        # Loading the built-in's gradients like weights gives them the plugin's names.
        expected = both_sides(files, requires_grad=True, projection_dim=5)[0]
        expected.load_state_dict(gradients)
        for parameter, gradient in zip(ours.parameters(), expected.parameters()):
            assert_close(parameter.grad, gradient)


def test_without_requires_grad_only_the_mix_and_projection_are_trained(tmp_path):
    """A frozen biLM gets no gradient, and the mix and the projection get AllenNLP's."""
    ours, theirs = both_sides(
        write_elmo_files(tmp_path, seed=63), True, dropout=0.0, projection_dim=5
    )
    batch = spell(*random_batches(64, LENGTHS)[0])
    for side in (ours, theirs):
        loss_of(side(batch)).backward()
    expected = {
        key: parameter.grad
        for key, parameter in theirs.named_parameters()
        if parameter.grad is not None
    }
    found = [
        (key, parameter) for key, parameter in ours.named_parameters() if parameter.requires_grad
    ]
    assert len(found) == len(expected) == 6
    assert all(
        parameter.grad is None for parameter in ours.parameters() if not parameter.requires_grad
    )
    for key, parameter in found:
        assert_close(parameter.grad, expected[key])


@pytest.mark.parametrize("requires_grad", [False, True])
def test_ids_that_spell_no_word_train_the_same_parameters(tmp_path, requires_grad):
    """
    Any ids give the biLM AllenNLP's gradients if it is trained, and none if it is frozen.

    The one exception is the vector of id 0, which AllenNLP's class trains if a token has zeros
    between its characters. No indexer makes such a token.
    """
    files = write_elmo_files(tmp_path, elmo_options(n_highway=2), seed=73)
    ours, theirs = both_sides(files, True, dropout=0.0, requires_grad=requires_grad)
    ids = torch.randint(0, 262, (3, 4, 50), generator=torch.Generator().manual_seed(74))
    for side in (ours, theirs):
        loss_of(side(ids)).backward()
    expected = {
        name: parameter.grad for name, parameter in theirs.named_parameters() if "_lstm" in name
    }
    assert all((gradient is not None) is requires_grad for gradient in expected.values())
    for name, gradient in expected.items():
        found = ours.get_parameter(name).grad
        if not requires_grad:
            assert found is None, name
            continue
        start = 1 if name.endswith("_char_embedding_weights") else 0
        # Gradients are up to 12 here, where float32 rounds more coarsely than at 1.
        scale = max(1.0, float(gradient.abs().max()))
        assert_close(found[start:] / scale, gradient[start:] / scale)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("name", list(OPTIONS))
def test_outputs_agree_after_training_steps_through_the_bilm(tmp_path, name, dropout):
    """Outputs agree after each SGD step through the biLM, over batches with carried state."""
    files = write_elmo_files(tmp_path, elmo_options(**OPTIONS[name]), seed=65)
    sides = both_sides(files, True, dropout=dropout, requires_grad=True, projection_dim=5)
    before = {key: value.detach().clone() for key, value in sides[0].named_parameters()}
    optimizers = [torch.optim.SGD(side.parameters(), lr=LEARNING_RATE) for side in sides]
    for step, batch in enumerate(random_batches(66, [*LENGTHS, [2, 2]])):
        outputs = []
        for side, optimizer in zip(sides, optimizers):
            torch.manual_seed(step)
            output = side(spell(*batch))
            optimizer.zero_grad()
            loss_of(output, step).backward()
            optimizer.step()
            outputs.append(output)
        assert_close(*outputs)
    after = dict(sides[0].named_parameters())
    assert all((after[key] - before[key]).abs().max() > 1e-5 for key in before)


def test_cached_words_are_trained_as_in_the_built_in(tmp_path):
    """Cached word vectors beside a trained biLM are trained, as in the built-in."""
    files = write_elmo_files(tmp_path, elmo_options(projection_dim=16), seed=71)
    sides = both_sides(
        files, True, dropout=0.0, requires_grad=True, vocab_to_cache=CACHED_WORDS, projection_dim=5
    )
    optimizers = [torch.optim.SGD(side.parameters(), lr=LEARNING_RATE) for side in sides]
    for step, batch in enumerate(random_batches(72, [*LENGTHS, [2, 2]], CACHED_WORDS[1:])):
        outputs = []
        for side, optimizer in zip(sides, optimizers):
            output = side(spell(*batch), word_ids(CACHED_WORDS, *batch))
            optimizer.zero_grad()
            loss_of(output, step).backward()
            optimizer.step()
            outputs.append(output)
        assert_close(*outputs)
    reloaded = both_sides(files, requires_grad=True, vocab_to_cache=CACHED_WORDS, projection_dim=5)[
        0
    ]
    reloaded.load_state_dict(sides[1].state_dict())
    for ours, theirs in zip(sides[0].parameters(), reloaded.parameters()):
        assert_close(ours, theirs)


@pytest.mark.parametrize(
    "changes",
    [
        {"use_skip_connections": False, "n_layers": 3},
        {"cell_size": 8, "projection_dim": 8, "cell_clip": "missing"},
    ],
    ids=["no skip connections", "no state projection"],
)
def test_gradients_agree_with_differences_of_the_oracle(tmp_path, changes):
    """
    Gradients of biLMs that the built-in refuses are the slopes of the oracle's loss.

    The slope is measured along a random direction of the file's weights.
    """
    options = elmo_options(activation="tanh", **changes)
    arrays, direction = elmo_arrays(options, 67), elmo_arrays(options, 68)
    batch = random_batches(69, LENGTHS)[2]

    def written(name, step):
        moved = {key: (arrays[key] + step * direction[key]) for key in arrays}
        return write_elmo_files(tmp_path / name, options, moved)

    def parameters(files):
        return dict(ElmoTokenEmbedder(*files, dropout=0.0, requires_grad=True).named_parameters())

    ours = ElmoTokenEmbedder(*written("here", 0.0), dropout=0.0, requires_grad=True)
    output = ours(spell(*batch))
    weights = numpy.random.RandomState(70).normal(size=output.shape)
    (output * torch.from_numpy(weights).float()).sum().backward()
    moved = parameters(written("there", 1.0))
    slope = sum(
        float(((moved[key] - parameter) * parameter.grad).sum())
        for key, parameter in ours.named_parameters()
    )

    def loss(step):
        files = written("near", 0.0)
        oracle = Oracle(*files)
        for key in arrays:
            oracle.weights[key] = arrays[key].astype("float64") + step * direction[key]
        return (mix_without_boundaries(oracle.batch_layers(batch)) * weights).sum()

    expected = (loss(1e-6) - loss(-1e-6)) / 2e-6
    assert abs(slope - expected) < 1e-3 * max(1.0, abs(expected))
