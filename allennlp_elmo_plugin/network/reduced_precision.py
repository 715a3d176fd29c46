"""
Matrices of frozen modules in bfloat16 or int8.
"""

from functools import partial
from typing import Any, Dict, List, Optional, Union

import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.kernels import TiledMatrix, can_tile, tile_matrix, untile_matrix

__all__ = [
    "ReducedMatrix",
    "as_dtype",
    "as_tiled",
    "needs_gradients",
    "reduce_matrix",
    "refuse_gradients",
    "stored_tensors",
]

FLOAT32_KEY = ".float32"


class ReducedMatrix(torch.nn.Module):
    """
    A matrix in reduced precision, tiled for the kernels.

    It takes the place of a parameter but cannot be trained. A state dict holds it in float32 under
    the parameter's name, and loading rounds the numbers of the state dict.

    # Parameters

    matrix : `torch.Tensor`
        Shape (rows, columns), float32.
    precision : `str`
        `"bfloat16"` or `"int8"`.
    is_gates : `bool`
        `True` if the rows are the four gates of an LSTM.

    # Raises

    `ConfigurationError`
        When a size is not a multiple of 16.
    """

    weight: torch.Tensor
    scale: torch.Tensor
    offset: torch.Tensor

    def __init__(self, matrix: torch.Tensor, precision: str, is_gates: bool) -> None:
        super().__init__()
        rows, columns = matrix.shape
        if not can_tile(rows // 4 if is_gates else rows, columns):
            raise ConfigurationError(
                f"Expected a biLM whose sizes are multiples of 16 for the precision '{precision}', "
                f"got a matrix of shape {tuple(matrix.shape)}. Use the precision 'float32'."
            )
        self.shape, self.precision, self.is_gates = matrix.shape, precision, is_gates
        tiled = tile_matrix(matrix, precision, is_gates)
        self.dtype = tiled.weight.dtype
        for name, buffer in _buffers_of(tiled).items():
            self.register_buffer(name, buffer, persistent=False)

    def tiled(self) -> TiledMatrix:
        """Returns the matrix as the kernels read it."""
        return TiledMatrix(
            self.weight.view(self.dtype),
            self.scale.to(torch.float32),
            self.offset,
            self.shape[0],
            self.is_gates,
            self.precision,
        )

    def to_float32(self) -> torch.Tensor:
        """Returns the rounded numbers, shape (rows, columns), float32."""
        return untile_matrix(self.tiled())

    def _save_to_state_dict(
        self, destination: Dict[str, torch.Tensor], prefix: str, keep_vars: bool
    ) -> None:
        destination[prefix[: -len(".")]] = self.to_float32()

    def _load_from_state_dict(
        self,
        state_dict: Dict[str, torch.Tensor],
        prefix: str,
        local_metadata: Dict[str, Any],
        strict: bool,
        missing_keys: List[str],
        unexpected_keys: List[str],
        error_messages: List[str],
    ) -> None:
        name = prefix[: -len(".")]
        matrix = state_dict.get(name + FLOAT32_KEY)
        if matrix is None:
            if strict:
                missing_keys.append(name)
        elif matrix.shape != self.shape:
            error_messages.append(
                f"{name}: expected shape {tuple(self.shape)}, got {tuple(matrix.shape)}"
            )
        else:
            tiled = tile_matrix(matrix.to(torch.float32), self.precision, self.is_gates)
            # The weight last: what other threads derive from a mixture is cached with the old one.
            for buffer_name, new in reversed(list(_buffers_of(tiled).items())):
                old = getattr(self, buffer_name)
                setattr(self, buffer_name, new if old.is_meta else new.to(old.device))


def reduce_matrix(
    owner: torch.nn.Module, name: str, precision: str, is_gates: bool = False
) -> None:
    """
    Replaces a matrix of a module by one in reduced precision.

    # Parameters

    owner : `torch.nn.Module`
        The module whose parameter is replaced.
    name : `str`
        The name of the parameter in it.
    precision : `str`
        `"bfloat16"` or `"int8"`.
    is_gates : `bool`, optional (default = `False`)
        `True` if the rows are the four gates of an LSTM.

    # Raises

    `ConfigurationError`
        When a size of the matrix is not a multiple of 16.
    """
    reduced = ReducedMatrix(getattr(owner, name), precision, is_gates)
    delattr(owner, name)
    setattr(owner, name, reduced)
    # PyTorch hands a module only the keys that begin with its name and a dot.
    owner._register_load_state_dict_pre_hook(partial(_rename_key, name))


def stored_tensors(module: torch.nn.Module) -> List[torch.Tensor]:
    """
    Returns the tensors in which a layer stores its weights.

    # Parameters

    module : `torch.nn.Module`
        A layer with parameters and matrices in reduced precision, and nothing else.

    # Returns

    `List[torch.Tensor]`
        The parameters, and the tiled weight of each `ReducedMatrix`.
    """
    reduced = module._modules.values()
    return [
        *(parameter for parameter in module._parameters.values() if parameter is not None),
        *(matrix.weight for matrix in reduced if isinstance(matrix, ReducedMatrix)),
    ]


def as_dtype(matrix: Union[torch.Tensor, ReducedMatrix], dtype: torch.dtype) -> torch.Tensor:
    """
    Returns a matrix as PyTorch multiplies with it.

    # Parameters

    matrix : `Union[torch.Tensor, ReducedMatrix]`
        A parameter, or a matrix in reduced precision.
    dtype : `torch.dtype`
        The dtype to return it in.

    # Returns

    `torch.Tensor`
        Shape (rows, columns): the parameter itself if it has this dtype.
    """
    return (matrix.to_float32() if isinstance(matrix, ReducedMatrix) else matrix).to(dtype)


def as_tiled(matrix: Union[torch.Tensor, ReducedMatrix], is_gates: bool = False) -> TiledMatrix:
    """
    Returns a matrix as the kernels read it.

    # Parameters

    matrix : `Union[torch.Tensor, ReducedMatrix]`
        A parameter of shape (rows, columns), float32, or a matrix in reduced precision.
    is_gates : `bool`, optional (default = `False`)
        `True` if the rows are the four gates of an LSTM.

    # Returns

    `TiledMatrix`
    """
    if isinstance(matrix, ReducedMatrix):
        return matrix.tiled()
    return tile_matrix(matrix, is_gates=is_gates)


def needs_gradients(module: torch.nn.Module, *tensors: torch.Tensor) -> bool:
    """
    Returns `True` if autograd follows a computation.

    # Parameters

    module : `torch.nn.Module`
        The module that computes.
    tensors : `torch.Tensor`
        Its inputs, of any shape and dtype.

    # Returns

    `bool`
        `True` if gradients are enabled and wanted for an input or a parameter.
    """
    if not torch.is_grad_enabled():
        return False
    # Faster than `parameters`, which also makes names.
    return any(tensor.requires_grad for tensor in tensors) or any(
        parameter is not None and parameter.requires_grad
        for part in module.modules()
        for parameter in part._parameters.values()
    )


def refuse_gradients(precision: str) -> None:
    """
    Raises an error if a precision is reduced, since it allows no gradients.

    # Parameters

    precision : `str`
        The precision of the module that autograd is about to follow.

    # Raises

    `ConfigurationError`
        When it is not `"float32"`.
    """
    if precision != "float32":
        raise ConfigurationError(
            f"A biLM of precision '{precision}' gives no gradients, since its weights are "
            "rounded. Use the precision 'float32': an archive loads in it, too, if you override "
            "'precision'. Or wrap the call in torch.no_grad(), if it needs no gradients."
        )


def _buffers_of(tiled: TiledMatrix) -> Dict[str, torch.Tensor]:
    # Distributed training sends buffers to other processes, and gloo knows no int16.
    weight = tiled.weight.view(torch.uint8)
    return {"weight": weight, "scale": tiled.scale, "offset": tiled.offset}


def _rename_key(name: str, state_dict: Dict[str, torch.Tensor], prefix: str, *_: Any) -> None:
    matrix: Optional[torch.Tensor] = state_dict.pop(prefix + name, None)
    if matrix is not None:
        state_dict[prefix + name + FLOAT32_KEY] = matrix
