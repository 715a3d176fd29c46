"""The callback that logs the progress of a training."""

import re
from pathlib import Path
from typing import Any, Dict

import pytest

from tests.support.language_model_experiment import language_model, train
from tests.support.tagger_experiment import tagger
from tests.support.tagger_experiment import train as train_tagger

LINE = re.compile(
    r"Epoch (\d) of 3, (\d+)% of it: (\d+) tokens/s, perplexity forward ([\d.]+), "
    r"backward ([\d.]+), (?:\d+ h )?\d+ min left"
)


@pytest.mark.parametrize("loader", [{}, {"batches_per_epoch": 10}], ids=["passes", "batches"])
def test_the_progress_is_logged(tmp_path: Path, loader: Dict[str, Any]) -> None:
    """The lines advance through all epochs, with or without a known number of batches."""
    config = language_model(tmp_path)
    config["data_loader"].update(loader)
    config["trainer"]["callbacks"] = [{"type": "bilm_progress", "seconds": 0.0}]
    train(config, tmp_path / "run")
    lines = LINE.findall((tmp_path / "run" / "out.log").read_text(encoding="utf-8"))
    progress = [(int(epoch), int(share)) for epoch, share, *_ in lines]
    assert {epoch for epoch, _ in progress} == {1, 2, 3}
    assert progress == sorted(progress) and len(set(progress)) > 5
    assert all(0 <= share <= 100 for _, share in progress)
    assert all(int(throughput) > 0 for _, _, throughput, _, _ in lines)
    assert all(
        float(number) > 1 for *_, forward, backward in lines for number in (forward, backward)
    )


def test_a_short_training_logs_no_line(tmp_path: Path) -> None:
    """By default, the first line comes after half a minute."""
    train(language_model(tmp_path), tmp_path / "run")
    assert not LINE.search((tmp_path / "run" / "out.log").read_text(encoding="utf-8"))


def test_other_models_log_no_line(tmp_path: Path) -> None:
    """The callback does nothing while a tagger is trained."""
    config = tagger(tmp_path)
    config["trainer"]["callbacks"] = [{"type": "bilm_progress", "seconds": 0.0}]
    train_tagger(config, tmp_path / "run")
    assert "tokens/s" not in (tmp_path / "run" / "out.log").read_text(encoding="utf-8")
