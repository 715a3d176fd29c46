"""From the same config and seed, a training takes the course that it takes with the built-in."""

from pathlib import Path
from typing import Any, Dict

import pytest

from tests.parity.conftest import SIZES
from tests.support.builtin import built_in
from tests.support.tagger_experiment import epoch_metrics, tagger, train

TOLERANCE = 1e-5

EMBEDDERS: Dict[str, Dict[str, Any]] = {
    "frozen": {},
    "projected and normalized": {"projection_dim": 6, "do_layer_norm": True},
    "with a word list": {"vocab_to_cache": ["@@PADDING@@", "the", "rain"]},
    "trained": {"requires_grad": True},
}


@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("name", list(EMBEDDERS))
def test_every_epoch_has_the_metrics_of_the_built_in(
    tmp_path: Path, sizes: str, name: str, dropout: float
) -> None:
    """The metrics agree after each of five epochs, also with the embedder's dropout."""
    shape = {"projection_dim": SIZES[sizes]["projection_dim"]}
    config = tagger(tmp_path, shape, dropout=dropout, **EMBEDDERS[name])
    config["data_loader"]["shuffle"] = True
    config["trainer"]["num_epochs"] = 5
    with built_in():
        train(config, tmp_path / "expected")
    train(config, tmp_path / "found")
    expected, found = epoch_metrics(tmp_path / "expected"), epoch_metrics(tmp_path / "found")
    assert len(found) == len(expected) == 5
    for epoch, metrics in enumerate(expected):
        assert len(metrics) >= 6
        assert found[epoch] == pytest.approx(metrics, abs=TOLERANCE)
