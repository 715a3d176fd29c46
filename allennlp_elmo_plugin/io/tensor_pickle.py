"""
A pickle module that makes tensors and nothing else, for PyTorch before 1.13.

Later versions have `weights_only`, which does the same.
"""

import pickle
from types import SimpleNamespace
from typing import IO, Any

__all__ = ["TENSOR_PICKLE"]

ALLOWED = {
    ("collections", "OrderedDict"),
    ("torch._utils", "_rebuild_parameter"),
    ("torch._utils", "_rebuild_tensor"),
    ("torch._utils", "_rebuild_tensor_v2"),
}
"""Functions and classes of a state dict. PyTorch itself looks up the types of storages."""


class _TensorUnpickler(pickle.Unpickler):
    """An unpickler that refuses all other classes and functions."""

    def find_class(self, module_name: str, name: str) -> Any:
        if (module_name, name) not in ALLOWED:
            raise pickle.UnpicklingError(
                f"Unsupported: {module_name}.{name} is no part of a tensor"
            )
        return super().find_class(module_name, name)


def _load(file: IO[bytes], **options: Any) -> Any:
    return _TensorUnpickler(file, **options).load()


TENSOR_PICKLE = SimpleNamespace(__name__=__name__, Unpickler=_TensorUnpickler, load=_load)
"""The `pickle_module` for `torch.load`."""
