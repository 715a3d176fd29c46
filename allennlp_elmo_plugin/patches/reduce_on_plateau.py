"""
The learning rate scheduler `reduce_on_plateau` where PyTorch knows no `verbose` any more.
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


class _AnnouncedReduceLROnPlateau(ReduceLROnPlateau):
    """
    PyTorch's scheduler with `verbose`, as it used to be. It logs what PyTorch printed.

    # Parameters

    optimizer : `torch.optim.Optimizer`
        The optimizer whose learning rates are reduced.
    verbose : `bool`
        If `True`, every reduction is logged.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, verbose: bool, **kwargs: Any) -> None:
        super().__init__(optimizer, **kwargs)
        self.verbose = verbose

    def step(self, *args: Any, **kwargs: Any) -> None:
        before = self._rates()
        super().step(*args, **kwargs)
        if not self.verbose:
            return
        for group, (old, new) in enumerate(zip(before, self._rates())):
            if old != new:
                logger.info(
                    "epoch %d: learning rate of group %d reduced from %.4e to %.4e",
                    self.last_epoch,
                    group,
                    old,
                    new,
                )

    def _rates(self) -> List[float]:
        return [float(group["lr"]) for group in self.optimizer.param_groups]


def _is_broken() -> bool:
    return "verbose" not in inspect.signature(ReduceLROnPlateau).parameters


def _construct_without_verbose(construct: Method) -> Method:
    signature = inspect.signature(construct)

    def repaired(self: ReduceOnPlateauLearningRateScheduler, *args: Any, **kwargs: Any) -> None:
        bound = signature.bind(self, *args, **kwargs)
        bound.apply_defaults()
        _, *options = bound.arguments
        scheduler: Any = _AnnouncedReduceLROnPlateau(
            **{option: bound.arguments[option] for option in options}
        )
        super(ReduceOnPlateauLearningRateScheduler, self).__init__(scheduler)

    return repaired


def patch_reduce_on_plateau() -> None:
    """
    Keep `verbose` from `ReduceLROnPlateau`, where PyTorch does not take it.

    The parameter is still accepted: with `"verbose": true` every reduction of a learning rate
    is logged, at the level INFO.
    """
    if _is_broken():
        replace_method(ReduceOnPlateauLearningRateScheduler, "__init__", _construct_without_verbose)
