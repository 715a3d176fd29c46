"""The names of weights in archives of AllenNLP's built-in embedder."""

from pathlib import Path
from typing import List, Optional

import pytest
import torch
from allennlp.modules.token_embedders.elmo_token_embedder import (
    ElmoTokenEmbedder as BuiltInEmbedder,
)

from allennlp_elmo_plugin.archive.builtin_names import builtin_embedder_names, rename_weights
from tests.support.elmo_files import write_elmo_files
from tests.support.embedders import embedder
from tests.support.sentences import spell


def test_names_are_mapped_by_component() -> None:
    """The scalar mix keeps the names of its weights, and the encoder gives its own."""
    assert builtin_embedder_names(["gamma"], {"_token_embedder.x": "bilm.y"}) == {
        "_elmo.scalar_mix_0.gamma": "scalar_mix.gamma",
        "_elmo._elmo_lstm._token_embedder.x": "_encoder.bilm.y",
    }


def test_an_encoder_without_names_leaves_the_scalar_mix() -> None:
    """An encoder that loads no archive of the built-in adds no names."""
    assert list(builtin_embedder_names({"gamma": 0}, {})) == ["_elmo.scalar_mix_0.gamma"]


def test_weights_are_renamed_in_place() -> None:
    """Weights below the prefix get their new names, and all others stay as they are."""
    state = {name: torch.tensor(i) for i, name in enumerate(["a.old", "old", "a.other"])}
    expected = {"a.new": state["a.old"], "old": state["old"], "a.other": state["a.other"]}
    rename_weights(state, "a.", {"old": "new", "missing": "also missing"})
    assert state.keys() == expected.keys()
    assert all(state[name] is weight for name, weight in expected.items())


def test_weights_of_new_names_stay() -> None:
    """A state dict that has the new names already is not changed."""
    state = {"a.new": torch.ones(1)}
    rename_weights(state, "a.", {"old": "new"})
    assert list(state) == ["a.new"] and state["a.new"].item() == 1


@pytest.mark.parametrize("words", [None, ["@@PADDING@@", "the", "rain"]])
def test_every_weight_of_the_builtin_is_loaded(tmp_path: Path, words: Optional[List[str]]) -> None:
    """All weights of the built-in, a word list's among them, are loaded under their new names."""
    files = write_elmo_files(tmp_path / "first", seed=1)
    builtin = BuiltInEmbedder(*files, dropout=0.0, vocab_to_cache=words)
    builtin._elmo.scalar_mix_0.gamma.data.fill_(0.7)
    # A word list's boundaries are no weights of the built-in: they come from the weight file.
    seed = 1 if words else 2
    module = embedder(write_elmo_files(tmp_path / "second", seed=seed), vocab_to_cache=words)
    module.load_state_dict(builtin.state_dict())
    given = [spell("the rain"), torch.tensor([[1, 2]])][: 2 if words else 1]
    with torch.no_grad():
        assert torch.allclose(module(*given), builtin(*given), rtol=0, atol=1e-5)
