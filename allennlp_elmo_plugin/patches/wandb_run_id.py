"""
The trainer callback `wandb` where wandb has moved its `generate_id`.
"""

import importlib
import secrets
from typing import Any

from allennlp.training.callbacks.wandb import WandBCallback

from allennlp_elmo_plugin.patches.methods import Method, replace_method

__all__ = ["patch_wandb_run_id"]


def _start_with_run_id(on_start: Method) -> Method:
    def repaired(self: WandBCallback, trainer: Any, is_primary: bool = True, **kwargs: Any) -> None:
        if is_primary and self._run_id is None:
            wandb = importlib.import_module("wandb")
            if not hasattr(wandb.util, "generate_id"):
                self._run_id = secrets.token_hex(4)
        on_start(self, trainer, is_primary=is_primary, **kwargs)

    return repaired


def patch_wandb_run_id() -> None:
    """
    Give a run a random id of eight letters where `wandb.util.generate_id` is gone.

    wandb is slow to import and not always there, so the look at it waits until a run starts.
    """
    replace_method(WandBCallback, "on_start", _start_with_run_id)
