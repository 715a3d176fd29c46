"""A biLM with the interface of AllenNLP's `_ElmoBiLm`."""

import inspect
import pickle
from copy import deepcopy
from typing import Any, List, Tuple

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.modules.elmo import _ElmoBiLm as BuiltInBilm

from allennlp_elmo_plugin import BilmEncoder, ZeroState
from allennlp_elmo_plugin.compat.elmo_bilm import _ElmoBiLm
from allennlp_elmo_plugin.embedder.module_encoder import ModuleEncoder
from tests.support.elmo_files import ElmoFiles, elmo_options, write_elmo_files
from tests.support.sentences import spell, word_ids
from tests.support.words import random_batches

TOLERANCE = 1e-5
WORDS = ["@@PADDING@@", "@@UNKNOWN@@", "the", "house", "<S>", "", "na\u00efve", "\u6c49"]
LENGTHS = [[3, 5, 0], [4], [0, 2, 6, 1]]


@pytest.fixture(scope="module", name="files", params=["plain", "kernels"])
def _files(request: Any, tmp_path_factory: pytest.TempPathFactory) -> ElmoFiles:
    """Files of a biLM so wide that no word vector is negative throughout."""
    filters = ((1, 16), (2, 16), (3, 32)) if request.param == "kernels" else ((1, 4), (2, 6))
    cell_size = 48 if request.param == "kernels" else 12
    options = elmo_options(projection_dim=16, cell_size=cell_size, filters=filters)
    return write_elmo_files(tmp_path_factory.mktemp(request.param), options, seed=21)


def _close(left: torch.Tensor, right: torch.Tensor) -> bool:
    return left.shape == right.shape and torch.allclose(left, right, rtol=0, atol=TOLERANCE)


def _assert_same(ours: _ElmoBiLm, theirs: BuiltInBilm, *inputs: torch.Tensor) -> None:
    """Compares mask, layers and the state that is carried on."""
    with torch.no_grad():
        found, expected = ours(*inputs), theirs(*inputs)
    assert list(found) == list(expected)
    assert found["mask"].dtype == torch.bool and torch.equal(found["mask"], expected["mask"])
    left, right = found["activations"], expected["activations"]
    assert isinstance(left, list) and len(left) == len(right) == ours.num_layers
    assert all(_close(one, other) for one, other in zip(left, right))
    assert all(map(_close, _states(ours), _states(theirs)))


def _states(bilm: Any) -> Tuple[torch.Tensor, ...]:
    states = bilm._elmo_lstm._states
    assert isinstance(states, tuple) and len(states) == 2
    return states


def _batches() -> List[List[torch.Tensor]]:
    """Returns batches with character ids and word ids."""
    batches = random_batches(22, LENGTHS, WORDS[2:])
    return [[spell(*batch), word_ids(WORDS, *batch)] for batch in batches]


def test_the_signatures_are_those_of_the_built_in() -> None:
    """Constructor and methods have AllenNLP's parameters and defaults."""
    for name in ("__init__", "forward", "create_cached_cnn_embeddings", "get_output_dim"):
        ours, theirs = (
            [(each.name, each.default) for each in inspect.signature(method).parameters.values()]
            for method in (getattr(_ElmoBiLm, name), getattr(BuiltInBilm, name))
        )
        assert ours == theirs


@pytest.mark.parametrize("words", [None, WORDS], ids=["characters", "words"])
def test_layers_mask_and_state_are_those_of_the_built_in(files: ElmoFiles, words: Any) -> None:
    """Batches of changing size, with empty rows, have AllenNLP's layers, and leave its state."""
    ours, theirs = (side(*files, False, words) for side in (_ElmoBiLm, BuiltInBilm))
    assert (ours.num_layers, ours.get_output_dim()) == (3, theirs.get_output_dim())
    for inputs in _batches():
        _assert_same(ours, theirs, *inputs)
        _assert_same(ours, theirs, inputs[0])


def test_words_can_be_cached_later(files: ElmoFiles) -> None:
    """The vectors of a word list that is given afterwards are looked up from then on."""
    ours, theirs = _ElmoBiLm(*files), BuiltInBilm(*files)
    for side in (ours, theirs):
        side.create_cached_cnn_embeddings(WORDS)
        side._word_embedding.weight.data[2].fill_(0.25)
    inputs = [spell("the house the"), word_ids(WORDS, "the house the")]
    _assert_same(ours, theirs, *inputs)
    assert float(ours(*inputs)["activations"][0][0, 1].unique()) == 0.25


@pytest.mark.parametrize("words", [None, WORDS], ids=["characters", "words"])
def test_state_dicts_go_both_ways(files: ElmoFiles, words: Any) -> None:
    """Names and order are AllenNLP's, and each side loads the other's weights."""
    ours, theirs = (side(*files, True, words) for side in (_ElmoBiLm, BuiltInBilm))
    names = [name for name, _ in theirs.named_parameters()]
    assert [name for name, _ in ours.named_parameters()] == names
    assert all(parameter.requires_grad for parameter in ours.parameters())
    generator = torch.Generator().manual_seed(3)
    for source, target in ((ours, theirs), (theirs, ours)):
        for parameter in source.parameters():
            parameter.data += 0.05 * torch.randn(parameter.shape, generator=generator)
        if words:
            # The entry for padding, which AllenNLP's class takes for a token unless it is 0.
            source._word_embedding.weight.data[0] = 0.0
        target.load_state_dict(source.state_dict())
        ours._elmo_lstm.reset_states()
        theirs._elmo_lstm.reset_states()
        _assert_same(ours, theirs, *_batches()[0])


def test_training_starts_from_the_same_random_state(files: ElmoFiles) -> None:
    """Numbers that are drawn after the biLM is built are those that are drawn after AllenNLP's."""
    drawn = []
    for side in (_ElmoBiLm, BuiltInBilm):
        torch.manual_seed(5)
        side(*files)
        drawn.append(torch.rand(3))
    assert torch.equal(*drawn)


def test_gradients_reach_every_parameter(files: ElmoFiles) -> None:
    """The gradients of all layers are AllenNLP's."""
    ours, theirs = (side(*files, True) for side in (_ElmoBiLm, BuiltInBilm))
    for side in (ours, theirs):
        layers = side(spell("the house", "rain"))["activations"]
        sum((layer**2).sum() for layer in layers).backward()
    for (name, left), right in zip(ours.named_parameters(), theirs.parameters()):
        scale = max(1.0, float(right.grad.abs().max()))
        assert torch.allclose(left.grad, right.grad, rtol=0, atol=TOLERANCE * scale), name


def test_a_state_can_be_moved_in(files: ElmoFiles) -> None:
    """A biLM goes on from the state of another one, AllenNLP's included."""
    ours, theirs = _ElmoBiLm(*files), BuiltInBilm(*files)
    first, second, third = (inputs[0] for inputs in _batches())
    theirs(first)
    ours._elmo_lstm._states = tuple(state.to("cpu") for state in theirs._elmo_lstm._states)
    _assert_same(ours, theirs, second)
    theirs._elmo_lstm._states = ours._elmo_lstm._states
    _assert_same(ours, theirs, third)
    for side in (ours, theirs):
        side._elmo_lstm._states = None
        assert side._elmo_lstm._states is None
    _assert_same(ours, theirs, first)


def test_some_rows_are_reset(files: ElmoFiles) -> None:
    """AllenNLP's protocol for modules with a state resets the same rows on both sides."""
    ours, theirs = _ElmoBiLm(*files), BuiltInBilm(*files)
    batch = spell("the house", "rain", "on the roof")
    for side in (ours, theirs):
        side(batch)
        assert side._elmo_lstm.stateful
        side._elmo_lstm.reset_states(torch.tensor([True, False, True]))
    _assert_same(ours, theirs, batch)


@pytest.mark.parametrize("shapes", [[(2, 3, 32)], [(2, 3, 32), (2, 3, 1)], [(2,), (2,)], []])
def test_a_state_of_another_shape_is_refused(files: ElmoFiles, shapes: Any) -> None:
    """The error names the shapes that a state has, and those that were found."""
    bilm = _ElmoBiLm(*files)
    with pytest.raises(ConfigurationError, match=r"\(2, rows, 32\) and \(2, rows, \d+\), got"):
        bilm._elmo_lstm._states = tuple(torch.zeros(shape) for shape in shapes)


def test_an_encoder_is_shared(files: ElmoFiles) -> None:
    """A biLM around an encoder gives its layers, and shares its weights and its state."""
    encoder = BilmEncoder.from_files(*files)
    bilm = _ElmoBiLm.from_encoder(encoder)
    batch = spell("the house", "rain")
    first = bilm(batch)["activations"]
    second = torch.stack(bilm(batch)["activations"])
    assert not torch.equal(torch.stack(first), second)
    bilm._elmo_lstm.reset_states()
    layers = encoder(encoder.make_batch(batch)).layers
    assert torch.equal(torch.stack(first), layers)
    assert torch.equal(encoder(encoder.make_batch(batch)).layers, second)
    bilm.load_state_dict({name: 0 * value for name, value in bilm.state_dict().items()})
    assert not encoder(encoder.make_batch(batch)).layers.any()


def test_an_encoder_that_carries_nothing_has_no_state(files: ElmoFiles) -> None:
    """With the initial state 'zero' there is no state to read or to set."""
    bilm = _ElmoBiLm.from_encoder(BilmEncoder.from_files(*files, initial_state=ZeroState()))
    bilm(spell("the house"))
    assert bilm._elmo_lstm._states is None
    bilm._elmo_lstm._states = None
    with pytest.raises(ConfigurationError, match="the initial state ZeroState carries none"):
        bilm._elmo_lstm._states = (torch.zeros(2, 1, 32), torch.zeros(2, 1, 24))


def test_another_encoder_is_refused(files: ElmoFiles) -> None:
    """Only an encoder that runs a biLM can stand behind one."""
    encoder: Any = ModuleEncoder(_ElmoBiLm(*files))
    with pytest.raises(ConfigurationError, match="Expected a BilmEncoder.*ModuleEncoder"):
        _ElmoBiLm.from_encoder(encoder)


@pytest.mark.parametrize(
    "copy", [deepcopy, lambda bilm: pickle.loads(pickle.dumps(bilm))], ids=["copy", "pickle"]
)
def test_a_copy_goes_on_alone(files: ElmoFiles, copy: Any) -> None:
    """A copy has the weights and the state, and what happens to it does not reach the first."""
    bilm = _ElmoBiLm(*files)
    first, second, _ = (inputs[0] for inputs in _batches())
    bilm(first)
    copied = copy(bilm)
    # As other packages move a biLM that they have unpickled.
    copied.to(device=torch.device("cpu"))
    copied._elmo_lstm._states = tuple(state.to("cpu") for state in copied._elmo_lstm._states)
    expected = copied(second)["activations"]
    for parameter in copied.parameters():
        parameter.data.zero_()
    assert all(map(_close, bilm(second)["activations"], expected))
