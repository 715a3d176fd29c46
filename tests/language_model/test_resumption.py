"""Resuming the training of a biLM as if it had not been interrupted."""

from pathlib import Path
from typing import Any, Dict, Iterator, Optional, Tuple

import pytest
import torch
from allennlp.models import load_archive
from allennlp.training import TrainerCallback

from allennlp_elmo_plugin import BilmCorpusReader
from tests.support import tagger_experiment
from tests.support.language_model_experiment import language_model, train


class Stopped(Exception):
    """The exception that interrupts a training."""


@TrainerCallback.register("stop_in_time")
class StopInTime(TrainerCallback):
    """A callback that interrupts a training after the batch `when`, or never."""

    when: Optional[Tuple[int, int]] = None

    def on_batch(  # type: ignore[override]
        self,
        trainer: Any,
        batch_inputs: Any,
        batch_outputs: Any,
        batch_metrics: Any,
        epoch: int,
        batch_number: int,
        is_training: bool,
        **kwargs: Any,
    ) -> None:
        """Raises `Stopped` after the given batch."""
        if is_training and (epoch, batch_number) == self.when:
            raise Stopped()


@pytest.fixture(name="stop_at")
def _stop_at() -> Iterator[Any]:
    def stop_at(when: Optional[Tuple[int, int]]) -> None:
        StopInTime.when = when

    yield stop_at
    StopInTime.when = None


DATA_LOADERS: Dict[str, Dict[str, Any]] = {
    "passes": {},
    "batches": {"batches_per_epoch": 20},
    "workers": {"num_workers": 1},
}


@pytest.mark.parametrize(
    ("loader", "when"),
    [("passes", (1, 2)), ("passes", (2, 9)), ("batches", (2, 9)), ("workers", (1, 11))],
    ids=str,
)
def test_a_resumed_training_ends_with_the_same_numbers(
    tmp_path: Path, stop_at: Any, loader: str, when: Tuple[int, int]
) -> None:
    """Streams, dropout and samples continue from a checkpoint, also from one within an epoch."""
    config = language_model(tmp_path, dropout=0.2)
    config["data_loader"].update(DATA_LOADERS[loader])
    config["trainer"]["callbacks"] = ["stop_in_time"]
    config["trainer"]["checkpointer"] = {"save_every_num_batches": 4}
    expected = train(config, tmp_path / "whole")
    stop_at(when)
    with pytest.raises(Stopped):
        train(config, tmp_path / "stopped")
    stop_at(None)
    # The training metrics of a resumed epoch cover its rest only, so they are not compared.
    actual = train(config, tmp_path / "stopped", recover=True)
    validation = [key for key in expected if "validation" in key]
    assert {key: actual[key] for key in validation} == {key: expected[key] for key in validation}
    whole, stopped = (
        load_archive(tmp_path / name).model.state_dict() for name in ("whole", "stopped")
    )
    assert all(torch.equal(whole[name], stopped[name]) for name in whole)


@pytest.mark.parametrize("when", [(1, 1), (1, 3), (2, 2), (2, 4)], ids=str)
def test_a_resumed_tagger_ends_with_the_same_numbers(
    tmp_path: Path, stop_at: Any, when: Tuple[int, int]
) -> None:
    """Dropout, the order of shuffled batches, and the states of `carry` continue."""
    config = tagger_experiment.tagger(tmp_path, requires_grad=True, dropout=0.5)
    tagger_experiment.write_data(tmp_path / "train.txt", 1, 18)
    config["data_loader"]["shuffle"] = True
    config["trainer"]["callbacks"] = ["stop_in_time"]
    config["trainer"]["checkpointer"] = {"save_every_num_batches": 2}
    tagger_experiment.train(config, tmp_path / "whole")
    stop_at(when)
    with pytest.raises(Stopped):
        tagger_experiment.train(config, tmp_path / "stopped")
    stop_at(None)
    tagger_experiment.train(config, tmp_path / "stopped", recover=True)
    metrics = []
    for folder in (tmp_path / "whole", tmp_path / "stopped"):
        final = tagger_experiment.final_metrics(folder)
        metrics.append({key: final[key] for key in final if "validation" in key})
    assert len(metrics[0]) >= 6 and metrics[0] == metrics[1]
    whole, stopped = (
        torch.load(tmp_path / name / "model_state_e3_b0.th") for name in ("whole", "stopped")
    )
    assert all(torch.equal(whole[name], stopped[name]) for name in whole)


def test_workers_know_which_pass_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers are restarted for each pass and still read in another order."""
    read = BilmCorpusReader._read

    def traced(self: BilmCorpusReader, path: str) -> Any:
        if self._worker_info is not None:
            (tmp_path / f"pass_{self.num_passes}").touch()
        return read(self, path)

    monkeypatch.setattr(BilmCorpusReader, "_read", traced)
    config = language_model(tmp_path)
    config["vocabulary"] = {"type": "from_instances"}
    config["data_loader"]["num_workers"] = 1
    train(config, tmp_path / "run")
    assert sorted(path.name for path in tmp_path.glob("pass_*")) == ["pass_0", "pass_1", "pass_2"]
