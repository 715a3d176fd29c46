"""
`allennlp train --recover` where `torch.load` reads weights only unless told otherwise.

The trainer's state can hold NumPy numbers: the learning rate that the `cosine` scheduler
left in the optimizer, or a metric computed with NumPy. `torch.load` refuses those.
"""

import io
from pickle import UnpicklingError
from typing import Any

import numpy
import torch
from allennlp.training.checkpointer import Checkpointer

from allennlp_elmo_plugin.patches.methods import Method, replace_method
from allennlp_elmo_plugin.patches.numpy_scalars import numpy_scalars_allowed

__all__ = ["patch_recover"]


def _is_broken() -> bool:
    checkpoint = io.BytesIO()
    torch.save(numpy.float64(0.0), checkpoint)
    checkpoint.seek(0)
    try:
        torch.load(checkpoint)
    except UnpicklingError:
        return True
    return False


def _load_with_numbers(load_checkpoint: Method) -> Method:
    def repaired(self: Checkpointer, *args: Any, **kwargs: Any) -> Any:
        with numpy_scalars_allowed():
            return load_checkpoint(self, *args, **kwargs)

    return repaired


def patch_recover() -> None:
    """
    Let `Checkpointer.load_checkpoint` read NumPy numbers, where `torch.load` refuses them.

    Everything else that `torch.load` refuses stays refused, and no other use of `torch.load`
    is touched.
    """
    if _is_broken():
        replace_method(Checkpointer, "load_checkpoint", _load_with_numbers)
