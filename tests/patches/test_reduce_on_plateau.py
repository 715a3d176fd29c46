"""The patch for the learning rate scheduler `reduce_on_plateau`."""

import inspect
import logging
from typing import Any, Dict, List

import pytest
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.training.learning_rate_schedulers import LearningRateScheduler
from allennlp.training.learning_rate_schedulers.pytorch_lr_schedulers import (
    ReduceOnPlateauLearningRateScheduler,
)
from torch.optim.lr_scheduler import ReduceLROnPlateau

from allennlp_elmo_plugin.patches.reduce_on_plateau import patch_reduce_on_plateau


def optimizer() -> Any:
    """Returns an optimizer of two parameter groups with different learning rates."""
    groups = [
        {"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 1.0},
        {"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 0.1},
    ]
    return torch.optim.SGD(groups, lr=1.0)


def from_config(**options: Any) -> Any:
    """Builds the scheduler from a config."""
    params = Params({"type": "reduce_on_plateau", **options})
    scheduler = LearningRateScheduler.from_params(params, optimizer=optimizer())
    assert isinstance(scheduler, ReduceOnPlateauLearningRateScheduler)
    return scheduler


def rates(scheduler: ReduceLROnPlateau) -> List[float]:
    """Returns the learning rates of both groups."""
    return [group["lr"] for group in scheduler.optimizer.param_groups]


def test_registered_name_gives_allennlps_class() -> None:
    """The registered name still stands for AllenNLP's class, which wraps PyTorch's."""
    assert (
        LearningRateScheduler.by_name("reduce_on_plateau") is ReduceOnPlateauLearningRateScheduler
    )
    assert isinstance(from_config().lr_scheduler, ReduceLROnPlateau)


def test_options_reach_pytorch() -> None:
    """Every option of a config becomes an attribute of PyTorch's scheduler."""
    options: Dict[str, Any] = {
        "mode": "max",
        "factor": 0.2,
        "patience": 5,
        "verbose": True,
        "threshold_mode": "abs",
        "threshold": 5e-3,
        "cooldown": 2,
        "eps": 1e-10,
    }
    scheduler = from_config(min_lr=[1e-12, 1e-11], **options).lr_scheduler

    assert {option: getattr(scheduler, option) for option in options} == options
    assert scheduler.min_lrs == [1e-12, 1e-11]


def test_options_by_position() -> None:
    """In Python, the parameters can be given by position, in the same order as before."""
    scheduler: Any = ReduceOnPlateauLearningRateScheduler(
        optimizer(), "max", 0.3, 7, True, "abs", 0.5, 1, 0.01, 1e-9
    ).lr_scheduler

    assert (scheduler.mode, scheduler.factor, scheduler.patience) == ("max", 0.3, 7)
    assert (scheduler.verbose, scheduler.threshold_mode) == (True, "abs")
    assert (scheduler.threshold, scheduler.cooldown, scheduler.eps) == (0.5, 1, 1e-9)
    assert scheduler.min_lrs == [0.01, 0.01]


def test_unknown_option_is_refused() -> None:
    """An unknown option raises a `ConfigurationError` that names it."""
    with pytest.raises(ConfigurationError, match="patients"):
        from_config(patients=3)


def test_schedule_is_pytorchs() -> None:
    """The learning rates equal those of PyTorch's scheduler on the same metrics."""
    options: Dict[str, Any] = {"patience": 1, "factor": 0.5, "cooldown": 1}
    scheduler = from_config(verbose=True, **options)
    reference = ReduceLROnPlateau(optimizer(), **options)

    for metric in [3.0, 2.0, 2.5, 2.5, 2.5, 1.0, 1.5, 1.5, 1.5]:
        scheduler.step(metric)
        reference.step(metric)
        assert rates(scheduler.lr_scheduler) == rates(reference)

    assert rates(reference) == [0.25, 0.025]


@pytest.mark.parametrize("verbose", [True, False])
def test_verbose_logs_each_reduction(
    verbose: bool, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture
) -> None:
    """With `verbose`, a reduction is logged once for each group; otherwise it is not logged."""
    scheduler = from_config(verbose=verbose, patience=0)
    with caplog.at_level(logging.INFO):
        scheduler.step(1.0)
        scheduler.step(0.5)
        assert "group" not in capsys.readouterr().out + caplog.text
        scheduler.step(2.0)

    logged = capsys.readouterr().out + caplog.text
    assert logged.count("of group 0") == logged.count("of group 1") == (1 if verbose else 0)


def test_metric_is_required() -> None:
    """Without a validation metric, the error says that one is required."""
    with pytest.raises(ConfigurationError, match="validation metric"):
        from_config().step(None)


def test_state_is_restored() -> None:
    """A scheduler with the state of another one continues as that one does."""
    original = from_config(patience=1)
    for metric in [1.0, 2.0]:
        original.step(metric)
    restored = from_config(patience=1)
    restored.load_state_dict(original.state_dict())

    original.step(2.0)
    restored.step(2.0)

    assert (
        rates(restored.lr_scheduler) == rates(original.lr_scheduler) == [0.1, 0.010000000000000002]
    )


def test_it_is_patched_only_where_needed() -> None:
    """The constructor is AllenNLP's own where PyTorch accepts `verbose`."""
    needed = "verbose" not in inspect.signature(ReduceLROnPlateau).parameters

    assert hasattr(ReduceOnPlateauLearningRateScheduler.__init__, "__wrapped__") is needed


def test_patching_twice_changes_nothing() -> None:
    """A second call leaves the constructor that the first one put there."""
    constructor = ReduceOnPlateauLearningRateScheduler.__init__

    patch_reduce_on_plateau()

    assert ReduceOnPlateauLearningRateScheduler.__init__ is constructor
