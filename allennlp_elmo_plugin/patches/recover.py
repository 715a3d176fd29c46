"""
A patch for `allennlp train --recover` where `torch.load` reads weights only by default.

The trainer's state can contain NumPy numbers: the learning rate that the `cosine` scheduler put
into the optimizer, or a metric computed with NumPy. `torch.load` refuses to read them.
"""

import io
from pickle import UnpicklingError
from typing import Any

import numpy
import torch
from allennlp.training.checkpointer import Checkpointer

from allennlp_elmo_plugin.patches.methods import Method, replace_method
from allennlp_elmo_plugin.patches.numpy_scalars import allow_numpy_scalars

__all__ = ["patch_recover"]


def _is_needed() -> bool:
    checkpoint = io.BytesIO()
    torch.save(numpy.float64(0.0), checkpoint)
    checkpoint.seek(0)
    try:
        torch.load(checkpoint)
    except UnpicklingError:
        return True
    return False


def _patch(load_checkpoint: Method) -> Method:
    def patched(self: Checkpointer, *args: Any, **kwargs: Any) -> Any:
        with allow_numpy_scalars():
            return load_checkpoint(self, *args, **kwargs)

    return patched


def patch_recover() -> None:
    """
    Lets `Checkpointer.load_checkpoint` read NumPy numbers, if `torch.load` refuses them.

    Everything else that `torch.load` refuses stays refused, and other calls of `torch.load` are
    not affected.
    """
    if _is_needed():
        replace_method(Checkpointer, "load_checkpoint", _patch)
