"""The learning rate scheduler `reduce_on_plateau`."""

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
    """Two groups of parameters with learning rates of their own."""
    groups = [
        {"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 1.0},
        {"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 0.1},
    ]
    return torch.optim.SGD(groups, lr=1.0)


def from_config(**options: Any) -> Any:
    """The scheduler as a config builds it."""
    params = Params({"type": "reduce_on_plateau", **options})
    scheduler = LearningRateScheduler.from_params(params, optimizer=optimizer())
    assert isinstance(scheduler, ReduceOnPlateauLearningRateScheduler)
    return scheduler


def rates(scheduler: ReduceLROnPlateau) -> List[float]:
    """The learning rates that the scheduler has set."""
    return [group["lr"] for group in scheduler.optimizer.param_groups]


def test_registered_name_gives_allennlps_class() -> None:
    """The name still means AllenNLP's class, which wraps PyTorch's."""
    assert (
        LearningRateScheduler.by_name("reduce_on_plateau") is ReduceOnPlateauLearningRateScheduler
    )
    assert isinstance(from_config().lr_scheduler, ReduceLROnPlateau)


def test_options_reach_pytorch() -> None:
    """Every option of a config is an attribute of PyTorch's scheduler."""
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
    """The parameters keep their order in Python."""
    scheduler: Any = ReduceOnPlateauLearningRateScheduler(
        optimizer(), "max", 0.3, 7, True, "abs", 0.5, 1, 0.01, 1e-9
    ).lr_scheduler

    assert (scheduler.mode, scheduler.factor, scheduler.patience) == ("max", 0.3, 7)
    assert (scheduler.verbose, scheduler.threshold_mode) == (True, "abs")
    assert (scheduler.threshold, scheduler.cooldown, scheduler.eps) == (0.5, 1, 1e-9)
    assert scheduler.min_lrs == [0.01, 0.01]


def test_unknown_option_is_refused() -> None:
    """An option that the scheduler never had is a `ConfigurationError`."""
    with pytest.raises(ConfigurationError, match="patients"):
        from_config(patients=3)


def test_schedule_is_pytorchs() -> None:
    """The learning rates are those of PyTorch's scheduler on the same metrics."""
    options: Dict[str, Any] = {"patience": 1, "factor": 0.5, "cooldown": 1}
    scheduler = from_config(verbose=True, **options)
    reference = ReduceLROnPlateau(optimizer(), **options)

    for metric in [3.0, 2.0, 2.5, 2.5, 2.5, 1.0, 1.5, 1.5, 1.5]:
        scheduler.step(metric)
        reference.step(metric)
        assert rates(scheduler.lr_scheduler) == rates(reference)

    assert rates(reference) == [0.25, 0.025]


@pytest.mark.parametrize("verbose", [True, False])
def test_verbose_says_each_reduction(
    verbose: bool, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture
) -> None:
    """With `verbose` a reduction is said once for each group, else not at all."""
    scheduler = from_config(verbose=verbose, patience=0)
    with caplog.at_level(logging.INFO):
        scheduler.step(1.0)
        scheduler.step(0.5)
        assert "group" not in capsys.readouterr().out + caplog.text
        scheduler.step(2.0)

    said = capsys.readouterr().out + caplog.text
    assert said.count("of group 0") == said.count("of group 1") == (1 if verbose else 0)


def test_metric_is_required() -> None:
    """Without a validation metric the scheduler says what it needs."""
    with pytest.raises(ConfigurationError, match="validation metric"):
        from_config().step(None)


def test_state_is_restored() -> None:
    """A scheduler that takes over another's state goes on as that one would."""
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


def test_repaired_only_where_broken() -> None:
    """The constructor is AllenNLP's own wherever PyTorch takes `verbose`."""
    broken = "verbose" not in inspect.signature(ReduceLROnPlateau).parameters

    assert hasattr(ReduceOnPlateauLearningRateScheduler.__init__, "__wrapped__") is broken


def test_repairing_twice_changes_nothing() -> None:
    """The second repair leaves the constructor of the first."""
    constructor = ReduceOnPlateauLearningRateScheduler.__init__

    patch_reduce_on_plateau()

    assert ReduceOnPlateauLearningRateScheduler.__init__ is constructor
