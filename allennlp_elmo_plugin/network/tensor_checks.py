"""
The check of tensors that a caller hands to a public module.
"""

from typing import Any, Optional, Sequence

import torch
from allennlp.common.checks import ConfigurationError

__all__ = ["FLOATS", "INTEGERS", "check_device", "check_tensor"]

INTEGERS = (torch.int64, torch.int32)
FLOATS = (torch.float32, torch.bfloat16, torch.float16, torch.float64)


def check_tensor(
    name: str,
    value: Any,
    dtypes: Sequence[torch.dtype],
    device: Optional[torch.device] = None,
) -> None:
    """
    Refuses what is no ordinary tensor of numbers.

    # Parameters

    name : `str`
        Name of the value in errors.
    value : `Any`
        Value that a caller gave.
    dtypes : `Sequence[torch.dtype]`
        Dtypes that the tensor may have, the usual one first.
    device : `torch.device`, optional (default = `None`)
        Device that the tensor has to be on; any, if there is none.

    # Raises

    `ConfigurationError`
        When it is not a tensor; when it is sparse, nested, quantized or a meta tensor, which has no
        numbers; or when its dtype or device is another.
    """
    if not isinstance(value, torch.Tensor):
        raise ConfigurationError(
            f"Expected {name} as a torch.Tensor, got {type(value).__name__}. Make one with "
            f"torch.as_tensor(..., dtype={dtypes[0]})."
        )
    form = _unusual_form(value)
    if form is not None:
        raise ConfigurationError(
            f"Expected {name} as a dense tensor with numbers in memory, got {form}."
        )
    if value.dtype not in dtypes:
        raise ConfigurationError(f"Expected {name} of type {dtypes[0]}, got {value.dtype}.")
    if device is not None:
        check_device(name, value, device)


def check_device(name: str, tensor: torch.Tensor, device: torch.device) -> None:
    """
    Refuses a tensor on another device.

    # Parameters

    name : `str`
        Name of the tensor in errors.
    tensor : `torch.Tensor`
        Tensor of any shape and dtype.
    device : `torch.device`
        Device that it has to be on.

    # Raises

    `ConfigurationError`
        When it is on another one.
    """
    if tensor.device != device:
        raise ConfigurationError(
            f"Expected {name} on the device '{device}', where the rest is, got '{tensor.device}'. "
            f"Move them with .to('{device}')."
        )


def _unusual_form(tensor: torch.Tensor) -> Optional[str]:
    # Nested tensors call themselves strided as well.
    if getattr(tensor, "is_nested", False):
        return "a nested tensor"
    if tensor.layout != torch.strided:
        return f"a tensor of layout {tensor.layout}; its to_dense() is one"
    if tensor.is_quantized:
        return "a quantized tensor"
    if tensor.device.type == "meta":
        return "a meta tensor, which has none"
    return None
