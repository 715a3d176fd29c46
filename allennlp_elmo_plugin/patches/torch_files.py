"""
A patch for the files of `torch.save`: AllenNLP's modules write them whole and read weights only.

AllenNLP writes straight to the final name, and a kill leaves a part of a file there. It reads
pickles, which can run any code, where PyTorch does not refuse them by itself.
"""

from types import ModuleType
from typing import Any

import torch
from allennlp.common import cached_transformers, file_utils
from allennlp.nn import initializers, util
from allennlp.nn.parallel import fairscale_fsdp_accelerator
from allennlp.training import checkpointer, gradient_descent_trainer, no_op_trainer

from allennlp_elmo_plugin.io.torch_files import load_torch_file, save_torch_file
from allennlp_elmo_plugin.patches.methods import Method, replace_method
from allennlp_elmo_plugin.patches.numpy_scalars import load_with_numpy_scalars

__all__ = ["patch_torch_files"]

# `allennlp.nn.util` reads the weights of archives.
READERS = (util, initializers, file_utils, fairscale_fsdp_accelerator)


class _Torch(ModuleType):
    """
    A stand-in for the name `torch` in one module, with other functions for files.

    # Parameters

    functions :
        The functions by name. Everything else is PyTorch's.
    """

    def __init__(self, **functions: Any) -> None:
        super().__init__("torch", torch.__doc__)
        vars(self).update(functions)

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)


def _replace_torch(module: ModuleType, **functions: Any) -> None:
    if not isinstance(vars(module)["torch"], _Torch):
        vars(module)["torch"] = _Torch(**functions)


def _patch_transformers(get: Method) -> Method:
    def patched(*args: Any, **kwargs: Any) -> Any:
        weights = kwargs.get("override_weights_file")
        # This function imports torch by itself.
        if weights is not None:
            load_torch_file(file_utils.cached_path(weights), map_location="cpu")
        return get(*args, **kwargs)

    return patched


def patch_torch_files() -> None:
    """
    Lets AllenNLP write weights and checkpoints atomically, and load them with `weights_only`.

    A file that is damaged, or that holds objects which `torch.load` refuses, gives a
    `ConfigurationError` that names it. Other code's `torch.load` and `torch.save` are not affected.
    """
    for module in READERS:
        _replace_torch(module, load=load_torch_file)
    _replace_torch(gradient_descent_trainer, load=load_torch_file, save=save_torch_file)
    _replace_torch(no_op_trainer, save=save_torch_file)
    # The state of a trainer holds NumPy numbers, such as the learning rate of `cosine`.
    _replace_torch(checkpointer, load=load_with_numpy_scalars, save=save_torch_file)
    replace_method(cached_transformers, "get", _patch_transformers)
