"""Features of the trainer and of models that go by names do what they do with the built-in."""

import json
from pathlib import Path
from typing import Any, Dict, List

import pytest
from allennlp.commands.train import train_model
from allennlp.common import Params
from allennlp.models import Model

from tests.parity.command_line import SIDES, assert_same_course, side, write_config
from tests.parity.sides import TOLERANCE, assert_close
from tests.support.tagger_experiment import epoch_metrics

TRAINED: Dict[str, Any] = {"requires_grad": True, "projection_dim": 6}


def train_both(folder: Path, config: Dict[str, Any]) -> List[Model]:
    """Trains on both sides and returns the models: AllenNLP's, then the plugin's."""
    models: List[Model] = []
    for name, embedder in SIDES.items():
        with side(name):
            model = train_model(Params(json.loads(json.dumps(config))), str(folder / name))
        assert model is not None
        assert any(type(module) is embedder for module in model.modules())
        models.append(model)
    return models


def assert_same_weights(expected: Model, found: Model) -> None:
    """Fails if a parameter of two models has another name or another value."""
    theirs, ours = dict(expected.named_parameters()), dict(found.named_parameters())
    assert list(ours) == list(theirs)
    for name, parameter in theirs.items():
        # Adam divides by small gradients, so it enlarges differences of rounding.
        assert_close(ours[name], parameter, 100 * TOLERANCE)


def assert_changes_the_course(folder: Path, config: Dict[str, Any]) -> None:
    """Fails if a training on the plugin's side has the metrics that the other one had."""
    train_model(Params(json.loads(json.dumps(config))), str(folder / "other"))
    found, other = epoch_metrics(folder / "found"), epoch_metrics(folder / "other")
    assert found[-1] != pytest.approx(other[-1], abs=10 * TOLERANCE)


def test_a_moving_average_agrees(tmp_path: Path) -> None:
    """Validation and the final model have the averaged parameters, those of the biLM as well."""
    average = {"moving_average": {"type": "exponential", "decay": 0.8}}
    config = write_config(tmp_path, average, **TRAINED)
    assert_same_weights(*train_both(tmp_path, config))
    assert_same_course(tmp_path)
    del config["trainer"]["moving_average"]
    assert_changes_the_course(tmp_path, config)


@pytest.mark.parametrize(
    "regex",
    [
        ".*_elmo_lstm.*_token_embedder.*",
        r"_elmo\._elmo_lstm\._elmo_lstm\.backward_layer_1",
        "_projection",
        "scalar_mix_0",
    ],
)
def test_no_grad_freezes_the_same_parameters(tmp_path: Path, regex: str) -> None:
    """`no_grad` freezes as many parameters, under the same names, and the others train alike."""
    config = write_config(tmp_path, {"no_grad": [regex]}, **TRAINED)
    expected, found = train_both(tmp_path, config)
    frozen = [
        {name: p.numel() for name, p in model.named_parameters() if not p.requires_grad}
        for model in (expected, found)
    ]
    assert frozen[0] == frozen[1] != {}
    assert len(frozen[0]) < len(list(expected.parameters()))
    assert_same_course(tmp_path)
    assert_same_weights(expected, found)


def test_parameter_groups_agree(tmp_path: Path) -> None:
    """Regular expressions for the biLM, the mix and the projection find the same parameters."""
    groups = [
        [["_elmo_lstm.*_token_embedder"], {"lr": 0.02}],
        [["backward_layer_.*state_linearity", "elmo._projection.bias"], {"lr": 0.3}],
        [[r"scalar_mix_0\.scalar_parameters\.[01]"], {"lr": 0.5}],
        [["forward_layer"], {"requires_grad": False}],
    ]
    optimizer = {"type": "sgd", "lr": 0.1, "parameter_groups": groups}
    config = write_config(tmp_path, {"optimizer": optimizer}, **TRAINED)
    assert_same_weights(*train_both(tmp_path, config))
    assert_same_course(tmp_path)
    del config["trainer"]["optimizer"]["parameter_groups"]
    assert_changes_the_course(tmp_path, config)


def test_an_initializer_agrees(tmp_path: Path) -> None:
    """An initializer by name gives each parameter of the embedder the same new value."""
    config = write_config(tmp_path, **TRAINED)
    config["model"]["initializer"] = {
        "regexes": [
            ["_elmo_lstm.*input_linearity.weight", {"type": "xavier_uniform"}],
            ["_token_embedder.*_highways.*bias", {"type": "uniform", "a": -0.2, "b": 0.2}],
            [r"_elmo\.scalar_mix_0.gamma", {"type": "constant", "val": 0.7}],
            [r"_projection\.weight", {"type": "normal", "std": 0.3}],
        ]
    }
    assert_same_weights(*train_both(tmp_path, config))
    assert_same_course(tmp_path)
    del config["model"]["initializer"]
    assert_changes_the_course(tmp_path, config)
