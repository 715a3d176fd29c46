"""
Modules whose matrices the kernels can read, in full or reduced precision.
"""

from typing import Any, Dict, Optional, cast

import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.kernels import (
    Kernels,
    TiledMatrix,
    can_tile,
    choose_kernels,
    tile_matrix,
    tile_vector,
    untile_matrix,
)
from allennlp_elmo_plugin.network.derived_cache import DerivedCache

__all__ = ["Packable"]


class Packable(torch.nn.Module):
    """
    A module with matrices that are parameters as long as its precision is float32. In another
    precision they are packed, frozen and no parameters; a state dict has them in float32 all the
    same, under the same names.
    """

    matrices: Dict[str, bool] = {}
    """The names of the matrices, and whether their rows are the four gates of an LSTM."""

    def __init__(self) -> None:
        super().__init__()
        self.precision = "float32"
        self._reduced = torch.nn.ModuleDict()
        self.derived = DerivedCache()

    def reduce_precision(self, precision: str) -> None:
        """
        Replaces the matrices by packed ones.

        # Parameters

        precision : `str`
            `"bfloat16"` or `"int8"`.
        """
        reduced = {
            name: _ReducedMatrix(getattr(self, name), precision, is_gates)
            for name, is_gates in self.matrices.items()
        }
        for name, matrix in reduced.items():
            delattr(self, name)
            self._reduced[name] = matrix
        self.precision = precision

    def matrix(self, name: str) -> torch.Tensor:
        """The matrix of this name: the parameter, or a float32 copy of what is packed."""
        if name in self._reduced:
            unpacked = untile_matrix(self._reduced_matrix(name).packed())
            return unpacked.to(next(self.parameters()).dtype)
        return getattr(self, name)

    def packed_matrix(self, name: str) -> TiledMatrix:
        """The matrix of this name, packed: once, until the parameter changes."""
        if name in self._reduced:
            return self._reduced_matrix(name).packed()
        matrix, is_gates = getattr(self, name), self.matrices[name]
        return self.derived.get(name, [matrix], lambda: tile_matrix(matrix, is_gates=is_gates))

    def packed_vector(self, name: str, is_gates: bool = False) -> torch.Tensor:
        """The vector of this name, packed: once, until the parameter changes."""
        vector = getattr(self, name)
        return self.derived.get(name, [vector], lambda: tile_vector(vector, is_gates))

    def choose_kernels(
        self, parameter: torch.Tensor, inputs: torch.Tensor, *sizes: int
    ) -> Optional[Kernels]:
        """
        The kernels that are to run these inputs, or `None` where PyTorch has to.

        # Parameters

        parameter : `torch.Tensor`
            Any parameter of the module: they share one device and type.
        inputs : `torch.Tensor`
            What the module is given.
        sizes : `int`
            The sizes that have to suit the kernels.
        """
        fits = (
            parameter.device.type == inputs.device.type == "cpu"
            and parameter.dtype == torch.float32
            and can_tile(*sizes)
            and len(inputs) > 0
            and not torch.jit.is_tracing()
        )
        return choose_kernels() if fits else None

    def needs_gradients(self, *tensors: torch.Tensor) -> bool:
        """
        Whether autograd is to follow a computation with these tensors.

        # Raises

        `ConfigurationError`
            When it is, but the precision is reduced.
        """
        wanted = torch.is_grad_enabled() and any(
            tensor.requires_grad for tensor in (*tensors, *self.parameters())
        )
        if wanted and self.precision != "float32":
            raise ConfigurationError(
                f"A biLM of precision '{self.precision}' gives no gradients, since its weights are "
                "rounded. Use the precision 'float32', or torch.no_grad()."
            )
        return wanted

    def _reduced_matrix(self, name: str) -> "_ReducedMatrix":
        return cast(_ReducedMatrix, self._reduced[name])

    def _save_to_state_dict(
        self, destination: Dict[str, torch.Tensor], prefix: str, keep_vars: bool
    ) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        for name in self._reduced:
            destination[prefix + name] = self.matrix(name)

    def _load_from_state_dict(
        self,
        state_dict: Dict[str, torch.Tensor],
        prefix: str,
        local_metadata: Dict[str, Any],
        strict: bool,
        missing_keys: Any,
        unexpected_keys: Any,
        error_messages: Any,
    ) -> None:
        for name in self._reduced:
            if prefix + name in state_dict:
                problem = self._reduced_matrix(name).load(state_dict.pop(prefix + name))
                if problem:
                    error_messages.append(f"{prefix + name}: {problem}")
            elif strict:
                missing_keys.append(prefix + name)
        super()._load_from_state_dict(
            state_dict,
            prefix,
            local_metadata,
            strict,
            missing_keys,
            unexpected_keys,
            error_messages,
        )


class _ReducedMatrix(torch.nn.Module):
    weight: torch.Tensor
    scale: torch.Tensor
    offset: torch.Tensor
    dtype: torch.dtype

    def __init__(self, matrix: torch.Tensor, precision: str, is_gates: bool) -> None:
        super().__init__()
        rows, columns = matrix.shape
        if not can_tile(rows // 4 if is_gates else rows, columns):
            raise ConfigurationError(
                f"Expected a biLM whose sizes are multiples of 16 for the precision '{precision}', "
                f"got a matrix of shape {tuple(matrix.shape)}. Use the precision 'float32'."
            )
        self.shape, self.precision, self.is_gates = matrix.shape, precision, is_gates
        packed = tile_matrix(matrix, precision, is_gates)
        self.dtype = packed.weight.dtype
        for name, buffer in _buffers_of(packed).items():
            self.register_buffer(name, buffer, persistent=False)

    def packed(self) -> TiledMatrix:
        return TiledMatrix(
            self.weight.view(self.dtype),
            self.scale.to(torch.float32),
            self.offset,
            self.shape[0],
            self.is_gates,
            self.precision,
        )

    def load(self, matrix: torch.Tensor) -> Optional[str]:
        """Packs another matrix instead, or tells what is wrong with it."""
        if matrix.shape != self.shape:
            return f"expected shape {tuple(self.shape)}, got {tuple(matrix.shape)}"
        packed = tile_matrix(matrix.to(torch.float32), self.precision, self.is_gates)
        for name, new in _buffers_of(packed).items():
            old = getattr(self, name)
            setattr(self, name, new if old.is_meta else new.to(old.device))
        return None


def _buffers_of(packed: TiledMatrix) -> Dict[str, torch.Tensor]:
    # Distributed training sends buffers to other processes, and gloo knows no int16.
    weight = packed.weight.view(torch.uint8)
    return {"weight": weight, "scale": packed.scale, "offset": packed.offset}
