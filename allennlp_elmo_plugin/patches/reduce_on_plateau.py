"""
A patch for the learning rate scheduler `reduce_on_plateau` where PyTorch has dropped `verbose`.
"""

import inspect
import logging
from typing import Any, List

import torch
from allennlp.training.learning_rate_schedulers import (
    ReduceOnPlateauLearningRateScheduler,
)
from torch.optim.lr_scheduler import ReduceLROnPlateau

from allennlp_elmo_plugin.patches.methods import Method, replace_method

logger = logging.getLogger(__name__)

__all__ = ["patch_reduce_on_plateau"]


class _LoggedReduceLROnPlateau(ReduceLROnPlateau):
    """
    PyTorch's scheduler with its former option `verbose`. It logs what PyTorch used to print.

    # Parameters

    optimizer : `torch.optim.Optimizer`
        Optimizer whose learning rates are reduced.
    verbose : `bool`
        If `True`, log every reduction.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, verbose: bool, **kwargs: Any) -> None:
        super().__init__(optimizer, **kwargs)
        self.verbose = verbose

    def step(self, *args: Any, **kwargs: Any) -> None:
        before = self._learning_rates()
        super().step(*args, **kwargs)
        if not self.verbose:
            return
        for group, (old, new) in enumerate(zip(before, self._learning_rates())):
            if old != new:
                logger.info(
                    "epoch %d: learning rate of group %d reduced from %.4e to %.4e",
                    self.last_epoch,
                    group,
                    old,
                    new,
                )

    def _learning_rates(self) -> List[float]:
        return [float(group["lr"]) for group in self.optimizer.param_groups]


def _is_needed() -> bool:
    return "verbose" not in inspect.signature(ReduceLROnPlateau).parameters


def _patch(construct: Method) -> Method:
    signature = inspect.signature(construct)

    def patched(self: ReduceOnPlateauLearningRateScheduler, *args: Any, **kwargs: Any) -> None:
        bound = signature.bind(self, *args, **kwargs)
        bound.apply_defaults()
        _, *options = bound.arguments
        scheduler: Any = _LoggedReduceLROnPlateau(
            **{option: bound.arguments[option] for option in options}
        )
        super(ReduceOnPlateauLearningRateScheduler, self).__init__(scheduler)

    return patched


def patch_reduce_on_plateau() -> None:
    """
    Accepts `verbose` without passing it to `ReduceLROnPlateau`, if PyTorch has dropped it.

    With `"verbose": true`, every reduction of a learning rate is logged at the level INFO.
    """
    if _is_needed():
        replace_method(ReduceOnPlateauLearningRateScheduler, "__init__", _patch)
