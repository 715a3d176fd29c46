"""Lines that say how far a training is."""

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
def test_it_says_how_far_it_is(tmp_path: Path, loader: Dict[str, Any]) -> None:
    """Epoch after epoch, with the share of each that is done, whether its end is known or not."""
    config = language_model(tmp_path)
    config["data_loader"].update(loader)
    config["trainer"]["callbacks"] = [{"type": "bilm_progress", "seconds": 0.0}]
    train(config, tmp_path / "run")
    lines = LINE.findall((tmp_path / "run" / "out.log").read_text(encoding="utf-8"))
    places = [(int(epoch), int(share)) for epoch, share, *_ in lines]
    assert {epoch for epoch, _ in places} == {1, 2, 3}
    assert places == sorted(places) and len(set(places)) > 5
    assert all(0 <= share <= 100 for _, share in places)
    assert all(int(speed) > 0 for _, _, speed, _, _ in lines)
    assert all(
        float(number) > 1 for *_, forward, backward in lines for number in (forward, backward)
    )


def test_a_line_a_while_is_enough(tmp_path: Path) -> None:
    """By default there is none in the first half minute."""
    train(language_model(tmp_path), tmp_path / "run")
    assert not LINE.search((tmp_path / "run" / "out.log").read_text(encoding="utf-8"))


def test_it_is_silent_in_other_trainings(tmp_path: Path) -> None:
    """Of a tagger it has nothing to say."""
    config = tagger(tmp_path)
    config["trainer"]["callbacks"] = [{"type": "bilm_progress", "seconds": 0.0}]
    train_tagger(config, tmp_path / "run")
    assert "tokens/s" not in (tmp_path / "run" / "out.log").read_text(encoding="utf-8")
