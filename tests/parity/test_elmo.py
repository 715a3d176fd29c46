"""`Elmo` has AllenNLP's parameters, and gives its representations."""

import inspect
from typing import Any, Dict, Tuple

import pytest
import torch
from allennlp.modules.elmo import _ElmoBiLm as BuiltInBilm

from allennlp_elmo_plugin import Elmo
from allennlp_elmo_plugin.compat.elmo_bilm import _ElmoBiLm
from tests.parity.sides import CACHED_WORDS, TOLERANCE, assert_close
from tests.support.builtin import BuiltInElmo
from tests.support.elmo_files import ElmoFiles, elmo_options, write_elmo_files
from tests.support.sentences import spell, word_ids
from tests.support.words import random_batches

LENGTHS = [[3, 5, 0], [4], [0, 2, 6, 1]]

ARGUMENTS: Dict[str, Dict[str, Any]] = {
    "defaults": {},
    "boundaries": {"keep_sentence_boundaries": True},
    "fixed mix": {"scalar_mix_parameters": [0.5, -1.0, 2.0]},
    "one layer": {"scalar_mix_parameters": [-9e10, 1, -9e10]},
    "layer norm": {"do_layer_norm": True},
    "layer norm and boundaries": {"do_layer_norm": True, "keep_sentence_boundaries": True},
    "words": {"vocab_to_cache": CACHED_WORDS},
    "words and boundaries": {"vocab_to_cache": CACHED_WORDS, "keep_sentence_boundaries": True},
    "trained": {"requires_grad": True},
}


@pytest.fixture(name="files")
def _files(tmp_path_factory: pytest.TempPathFactory) -> ElmoFiles:
    """Files of a biLM of two layers, so wide that no word vector is negative throughout."""
    return write_elmo_files(
        tmp_path_factory.mktemp("elmo"), elmo_options(projection_dim=16), seed=21
    )


def _with_random_mixes(ours: Elmo, theirs: torch.nn.Module) -> None:
    """Gives the mixes of both sides the same random weights."""
    generator = torch.Generator().manual_seed(12)
    state = {
        name: torch.randn(value.shape, generator=generator)
        for name, value in theirs.state_dict().items()
        if "scalar_mix" in name
    }
    for side in (ours, theirs):
        assert not side.load_state_dict(state, strict=False).unexpected_keys


def _assert_same(
    ours: Elmo, theirs: torch.nn.Module, *inputs: torch.Tensor
) -> Tuple[torch.Tensor, ...]:
    """
    Compares mask and representations, and returns ours.

    Behind `</S>` AllenNLP's class leaves what layer normalization makes of 0.
    """
    found, expected = ours(*inputs), theirs(*inputs)
    assert torch.equal(found["mask"], expected["mask"])
    left, right = found["elmo_representations"], expected["elmo_representations"]
    assert len(left) == len(right)
    for one, other in zip(left, right):
        assert_close(one, other * expected["mask"].unsqueeze(-1))
    return tuple(left)


def test_the_signature_begins_with_that_of_the_built_in() -> None:
    """The first ten parameters have AllenNLP's names, order and defaults."""
    ours, theirs = (
        list(inspect.signature(side).parameters.values()) for side in (Elmo, BuiltInElmo)
    )
    assert [(each.name, each.default, each.kind) for each in ours[: len(theirs)]] == [
        (each.name, each.default, each.kind) for each in theirs
    ]
    assert {each.kind for each in ours[len(theirs) :]} == {inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("name", list(ARGUMENTS))
def test_representations_agree_over_batches_with_carried_state(
    files: ElmoFiles, name: str, count: int
) -> None:
    """Three batches of changing size, with empty rows, have AllenNLP's representations."""
    theirs = BuiltInElmo(*files, count, dropout=0.0, **ARGUMENTS[name])
    ours = Elmo(*files, count, dropout=0.0, **ARGUMENTS[name])
    if "scalar_mix_parameters" not in ARGUMENTS[name]:
        _with_random_mixes(ours, theirs)
    assert ours.get_output_dim() == theirs.get_output_dim()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    cached = "vocab_to_cache" in ARGUMENTS[name]
    words = CACHED_WORDS[1:] if cached else ["the", "house", "<S>", "", "\U0001f600", "x" * 60]
    for batch in random_batches(22, LENGTHS, words):
        inputs = [spell(*batch)]
        if cached:
            inputs.append(word_ids(CACHED_WORDS, *batch))
        with torch.no_grad():
            _assert_same(ours, theirs, *inputs)


@pytest.mark.parametrize("requires_grad", [False, True])
def test_a_training_starts_from_the_same_random_state(
    files: ElmoFiles, requires_grad: bool
) -> None:
    """After both are built from one seed, dropout drops the same elements."""
    batch, outputs = spell("the house", "the"), []
    for side in (Elmo, BuiltInElmo):
        torch.manual_seed(7)
        elmo = side(*files, 2, requires_grad=requires_grad)
        outputs.append(elmo(batch)["elmo_representations"])
    for left, right in zip(*outputs):
        assert_close(left, right)
        assert (left == 0).sum() > left.numel() / 4


def test_gradients_of_two_mixes_agree(files: ElmoFiles) -> None:
    """Every parameter of the biLM and of both mixes has AllenNLP's gradient."""
    ours, theirs = (side(*files, 2, True, dropout=0.0) for side in (Elmo, BuiltInElmo))
    _with_random_mixes(ours, theirs)
    batch = spell("the house", "rain on the roof")
    for side in (ours, theirs):
        first, second = side(batch)["elmo_representations"]
        (first.sum() + (second**2).sum()).backward()
    gradients = {name: parameter.grad for name, parameter in theirs.named_parameters()}
    assert [name for name, _ in ours.named_parameters()] == list(gradients)
    for name, parameter in ours.named_parameters():
        scale = max(1.0, float(gradients[name].abs().max()))
        assert_close(parameter.grad, gradients[name], TOLERANCE * scale)


@pytest.mark.parametrize("side", [BuiltInBilm, _ElmoBiLm], ids=["built-in", "plugin"])
@pytest.mark.parametrize("name", ["defaults", "boundaries", "layer norm", "words"])
def test_a_module_in_place_of_files_agrees(files: ElmoFiles, name: str, side: Any) -> None:
    """A biLM that is given as `module` has the representations of AllenNLP's own."""
    arguments = {"dropout": 0.0, **ARGUMENTS[name]}
    words = ARGUMENTS[name].get("vocab_to_cache")
    theirs = BuiltInElmo(None, None, 2, module=BuiltInBilm(*files, False, words), **arguments)
    ours = Elmo(None, None, 2, module=side(*files, False, words), **arguments)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    _with_random_mixes(ours, theirs)
    for batch in random_batches(23, LENGTHS, CACHED_WORDS[1:]):
        inputs = [spell(*batch)] + ([word_ids(CACHED_WORDS, *batch)] if words else [])
        with torch.no_grad():
            _assert_same(ours, theirs, *inputs)


@pytest.mark.parametrize("wrapping", [(2, 2), (2, 1, 2)])
def test_inputs_of_more_dimensions_agree_with_a_module(
    files: ElmoFiles, wrapping: Tuple[int, ...]
) -> None:
    """Lists of sentences go through a module as a single batch."""
    theirs, ours = (
        side(None, None, 1, dropout=0.0, module=BuiltInBilm(*files)) for side in (BuiltInElmo, Elmo)
    )
    batch = random_batches(24, [[2, 5, 0, 3]])[0]
    with torch.no_grad():
        (vectors,) = _assert_same(ours, theirs, spell(*batch).view(*wrapping, -1, 50))
    assert vectors.shape[:-2] == wrapping
