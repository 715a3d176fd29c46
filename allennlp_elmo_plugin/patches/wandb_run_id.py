"""
A patch for the trainer callback `wandb` where wandb has moved its `generate_id`.
"""

import importlib
import secrets
from typing import Any

from allennlp.training.callbacks.wandb import WandBCallback

from allennlp_elmo_plugin.patches.methods import Method, replace_method

__all__ = ["patch_wandb_run_id"]


def _patch(on_start: Method) -> Method:
    def patched(self: WandBCallback, trainer: Any, is_primary: bool = True, **kwargs: Any) -> None:
        if is_primary and self._run_id is None:
            wandb = importlib.import_module("wandb")
            if not hasattr(wandb.util, "generate_id"):
                self._run_id = secrets.token_hex(4)
        on_start(self, trainer, is_primary=is_primary, **kwargs)

    return patched


def patch_wandb_run_id() -> None:
    """
    Gives a run a random id of eight hexadecimal digits, if `wandb.util.generate_id` is missing.

    wandb takes long to import and need not be installed, so the check waits until a run starts.
    """
    replace_method(WandBCallback, "on_start", _patch)
