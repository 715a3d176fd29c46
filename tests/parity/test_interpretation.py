"""Interpretation of an archive that AllenNLP's embedder trained gives what it gives there."""

from pathlib import Path
from typing import Any, Dict, List

import numpy
import pytest
import torch
from allennlp.data import Instance
from allennlp.data.fields import SequenceLabelField
from allennlp.interpret.attackers import Hotflip
from allennlp.interpret.saliency_interpreters import (
    IntegratedGradient,
    SimpleGradient,
    SmoothGradient,
)
from allennlp.models import load_archive
from allennlp.modules import TokenEmbedder
from allennlp.predictors import Predictor

from allennlp_elmo_plugin import ElmoTokenEmbedder
from allennlp_elmo_plugin.kernels import use_kernels
from tests.parity.sides import assert_close
from tests.support.builtin import BuiltInEmbedder
from tests.support.elmo_files import elmo_options
from tests.support.tagger_experiment import tagger, train

BUILT_IN = "elmo_token_embedder_of_allennlp"
TYPE = "model.text_field_embedder.token_embedders.elmo.type"
SENTENCES = [["the", "rain", "falls"], ["caf\u00e9", "\u96e8"], ["the", "\U0001f327", "a", "rain"]]

TokenEmbedder.register(BUILT_IN, exist_ok=True)(BuiltInEmbedder)


@pytest.fixture(name="archive", params=[{}, {"requires_grad": True, "projection_dim": 6}])
def _archive(request: Any, tmp_path: Path) -> Path:
    """Folder of a training with AllenNLP's embedder, frozen or not."""
    options = {"projection_dim": elmo_options.__kwdefaults__["projection_dim"]}
    config = tagger(tmp_path, options, type=BUILT_IN, **request.param)
    config["trainer"]["num_epochs"] = 1
    train(config, tmp_path / "run")
    return tmp_path / "run"


def both_predictors(archive: Path) -> List[Predictor]:
    """Returns the predictor with the plugin's embedder, and the one with AllenNLP's."""
    predictors = []
    for name, cls in (("elmo_token_embedder", ElmoTokenEmbedder), (BUILT_IN, BuiltInEmbedder)):
        loaded = load_archive(archive, overrides={TYPE: name})
        assert any(type(module) is cls for module in loaded.model.modules())
        predictors.append(Predictor.from_archive(loaded, "elmo_tagger"))
    return predictors


def labeled(predictor: Predictor, words: List[str]) -> Instance:
    """Returns a sentence with the tag V for each word."""
    instance = predictor._json_to_instance({"tokens": words})
    tokens: Any = instance["tokens"]
    instance.add_field("tags", SequenceLabelField(["V"] * len(words), tokens))
    return instance


@pytest.mark.parametrize("kernels", ["fastest", "plain"])
def test_gradients_agree(archive: Path, kernels: str, sizes: str) -> None:
    """Gradients and loss agree, batch by batch, with the state that is carried between them."""
    if kernels == "plain" and sizes == "plain":
        pytest.skip("these sizes never run kernels")
    ours, theirs = both_predictors(archive)
    for words in SENTENCES:
        expected, their_outputs = theirs.get_gradients([labeled(theirs, words)])
        if kernels == "plain":
            with use_kernels("plain"):
                found, outputs = ours.get_gradients([labeled(ours, words)])
        else:
            found, outputs = ours.get_gradients([labeled(ours, words)])
        assert list(found) == list(expected) == ["grad_input_1"]
        assert numpy.abs(expected["grad_input_1"]).max() > 1e-3
        assert_close(found["grad_input_1"], expected["grad_input_1"])
        assert_close(outputs["loss"], their_outputs["loss"])


@pytest.mark.parametrize("tool", [SimpleGradient, IntegratedGradient, SmoothGradient])
def test_saliency_agrees(archive: Path, tool: Any) -> None:
    """Every token has the same score on both sides."""
    scores: List[Dict[str, List[float]]] = []
    for predictor in both_predictors(archive):
        torch.manual_seed(0)
        inputs = {"tokens": SENTENCES[0]}
        scores.append(tool(predictor).saliency_interpret_from_json(inputs)["instance_1"])
    assert_close(scores[0]["grad_input_1"], scores[1]["grad_input_1"])


def test_flips_agree(archive: Path) -> None:
    """HotFlip flips the same tokens to the same words."""
    ours, theirs = (
        Hotflip(predictor).attack_from_json({"tokens": SENTENCES[0]})
        for predictor in both_predictors(archive)
    )
    assert ours["final"] == theirs["final"] != [SENTENCES[0]]
