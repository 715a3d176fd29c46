"""Archives that were trained with AllenNLP's built-in embedder go on through the plugin."""

import contextlib
import json
from pathlib import Path
from typing import Any, Dict, NamedTuple

import numpy
import pytest
from allennlp.commands.evaluate import evaluate_from_archive
from allennlp.common import Params
from allennlp.models.archival import load_archive
from allennlp.training.optimizers import make_parameter_groups

from allennlp_elmo_plugin import ElmoTokenEmbedder
from tests.support.builtin import BuiltInEmbedder, built_in
from tests.support.tagger_experiment import (
    BUILTIN_EMBEDDERS,
    final_metrics,
    read_probabilities,
    tagger,
    train,
    write_data,
)

TOLERANCE = 1e-5


class Experiment(NamedTuple):
    """A model trained with the built-in embedder."""

    folder: Path
    config: Dict[str, Any]

    @property
    def archive(self) -> str:
        """Path of the archive that `allennlp train` writes."""
        return str(self.folder / "run" / "model.tar.gz")


def evaluate(experiment: Experiment, output: Path) -> Dict[str, Any]:
    """Returns the metrics of `allennlp evaluate`, and every predicted probability."""
    metrics = evaluate_from_archive(
        experiment.archive,
        experiment.config["validation_data_path"],
        predictions_output_file=str(output),
        batch_size=2,
    )
    return {"metrics": metrics, "probabilities": read_probabilities(output)}


@pytest.fixture(scope="module", params=list(BUILTIN_EMBEDDERS))
def experiment(request, tmp_path_factory):
    """Trains a tagger with the built-in, once for each kind of embedder."""
    folder = tmp_path_factory.mktemp("experiment")
    config = tagger(folder, **BUILTIN_EMBEDDERS[request.param])
    with built_in():
        train(config, folder / "run")
    return Experiment(folder, config)


def embedder_of(archive_file: str) -> Any:
    """Returns the token embedder of an archived tagger."""
    model: Any = load_archive(archive_file).model
    return model.text_field_embedder.token_embedder_elmo


def test_an_archive_is_evaluated_the_same(experiment, tmp_path):
    """An archive's metrics, and each probability behind them, are those of the built-in."""
    with built_in():
        assert isinstance(embedder_of(experiment.archive), BuiltInEmbedder)
        expected = evaluate(experiment, tmp_path / "expected.jsonl")
    assert isinstance(embedder_of(experiment.archive), ElmoTokenEmbedder)
    found = evaluate(experiment, tmp_path / "found.jsonl")
    assert found["metrics"] == pytest.approx(expected["metrics"], abs=TOLERANCE)
    difference = numpy.array(found["probabilities"]) - numpy.array(expected["probabilities"])
    assert len(difference) > 60
    assert numpy.abs(difference).max() < TOLERANCE


def test_fine_tuning_from_an_archive_goes_the_same_way(experiment, tmp_path):
    """A training that starts from the archive has the metrics that it has with the built-in."""
    config = {
        **experiment.config,
        "model": {"type": "from_archive", "archive_file": experiment.archive},
        "vocabulary": {"type": "from_files", "directory": experiment.archive},
        "train_data_path": write_data(tmp_path / "train.txt", 3, 12),
    }
    config["trainer"] = {**config["trainer"], "optimizer": {"type": "sgd", "lr": 0.05}}
    with built_in():
        train(config, tmp_path / "expected")
    train(config, tmp_path / "found")
    expected = final_metrics(tmp_path / "expected")
    assert len(expected) >= 6
    assert final_metrics(tmp_path / "found") == pytest.approx(expected, abs=TOLERANCE)


@pytest.mark.parametrize(
    "regex",
    [
        "scalar_parameters",
        "gamma",
        "scalar_mix",
        "scalar_mix.*gamma",
        "token_embedder_elmo",
        r"token_embedder_elmo\._projection",
        "text_field_embedder.*scalar_mix.*scalar_parameters",
    ],
)
def test_regular_expressions_of_published_configs_match_as_many(experiment, regex):
    """A parameter group by regular expression holds as many numbers as with the built-in."""
    sizes = []
    for registry in (built_in(), contextlib.nullcontext()):
        with registry:
            model = load_archive(experiment.archive).model
        groups: Any = make_parameter_groups(
            [(name, p) for name, p in model.named_parameters() if p.requires_grad],
            [([regex], {"lr": 0.5})],
        )
        sizes.append([sum(p.numel() for p in group["params"]) for group in groups])
    assert sizes[0] == sizes[1]


def test_a_regularizer_by_name_is_as_large(experiment):
    """The penalty on `scalar_parameters` is the built-in's, and there is one where they train."""
    penalties = []
    for registry in (built_in(), contextlib.nullcontext()):
        with registry:
            model: Any = load_archive(experiment.archive).model
        penalties.append(float(model.get_regularization_penalty()))
    assert penalties[0] == pytest.approx(penalties[1], abs=1e-8)


@pytest.mark.parametrize("requires_grad", [False, True])
def test_a_training_begun_with_the_built_in_is_recovered(tmp_path, requires_grad):
    """A recovered training, optimizer and all, ends where it ends with the built-in."""
    config = tagger(tmp_path, requires_grad=requires_grad, projection_dim=6)
    once = {**config, "trainer": {**config["trainer"], "num_epochs": 1}}
    for name, registry in (("expected", built_in()), ("found", contextlib.nullcontext())):
        folder = tmp_path / name
        with built_in():
            train(once, folder)
        # The stopped training is to look like one that was meant to have three epochs.
        Params(json.loads(json.dumps(config))).to_file(str(folder / "config.json"))
        for leftover in ("metrics.json", "model.tar.gz"):
            (folder / leftover).unlink()
        with registry:
            train(config, folder, recover=True)
    expected = final_metrics(tmp_path / "expected")
    assert final_metrics(tmp_path / "found") == pytest.approx(expected, abs=TOLERANCE)
