"""
A cache of values that are computed from parameters.
"""

from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, TypeVar

import torch

from allennlp_elmo_plugin.io.locks import ForkSafeLock

__all__ = ["DerivedCache"]

T = TypeVar("T")

SAMPLE_SIZE = 16


class DerivedCache:
    """
    A cache of values derived from parameters, such as tiled matrices, until the parameters change.

    The cache notices a change by the parameter's version counter. Writing to `parameter.data`
    leaves the counter as it is, and buffers are not counted at all, so it also compares a sample of
    16 elements. Pickles and deep copies of a cache are empty.

    Several threads may use a cache. One of them computes a value, and the others wait for it. A
    value that was computed while a thread changed a parameter is not used once the change is done.
    """

    def __init__(self) -> None:
        self._entries: Dict[str, _Entry] = {}
        self._lock = ForkSafeLock()

    def get(self, name: str, parameters: Sequence[torch.Tensor], compute: Callable[[], T]) -> T:
        """
        Returns a derived value, computed again only if a parameter has changed.

        # Parameters

        name : `str`
            Cache key of the value.
        parameters : `Sequence[torch.Tensor]`
            Parameters and buffers that the value is computed from, of any shape and dtype.
        compute : `Callable[[], T]`
            Function that computes the value.

        # Returns

        `T`
            The result of the last call of `compute`.
        """
        entry = self._current(name, parameters)
        if entry is None:
            with self._lock.current:
                # Another thread may have been first.
                entry = self._current(name, parameters)
                if entry is None:
                    entry = self._entries[name] = _Entry(parameters, compute)
        return entry.value

    def find(self, name: str, parameters: Sequence[torch.Tensor]) -> Optional[Any]:
        """
        Returns a derived value if it is there and no parameter has changed.

        # Parameters

        name, parameters :
            See `get`.

        # Returns

        `Optional[Any]`
            The value, or `None`.
        """
        entry = self._current(name, parameters)
        return None if entry is None else entry.value

    def values(self) -> List[Any]:
        """Returns the cached values, whose parameters may have changed since."""
        # A copy: another thread may add or remove values meanwhile.
        return [entry.value for entry in self._entries.copy().values()]

    def clear(self) -> None:
        """Removes all values."""
        self._entries.clear()

    def _current(self, name: str, parameters: Sequence[torch.Tensor]) -> Optional["_Entry"]:
        entry = self._entries.get(name)
        return entry if entry is not None and entry.is_current(parameters) else None

    def __reduce__(self) -> Tuple[Any, ...]:
        return type(self), ()


class _Entry:
    """A value with the states of the parameters that it was computed from."""

    def __init__(self, parameters: Sequence[torch.Tensor], compute: Callable[[], Any]) -> None:
        self._states = [_State(parameter) for parameter in parameters]
        # Views of the parameters themselves. They also keep the memory, so no other tensor can
        # have its address.
        self._views = _in_groups([_sample(parameter) for parameter in parameters])
        self._samples = [torch.cat(views) for views in self._views]
        # Last: if another thread changes a parameter meanwhile, the states are those from before.
        self.value = compute()

    def is_current(self, parameters: Sequence[torch.Tensor]) -> bool:
        """Returns `True` if the parameters are the same and hold the same numbers."""
        return (
            len(parameters) == len(self._states)
            and all(
                state.is_current(parameter) for state, parameter in zip(self._states, parameters)
            )
            # Some optimizers write to `parameter.data`, which leaves the version counter as it is.
            # One comparison for many parameters, since on an accelerator each stops the host.
            and all(
                torch.equal(torch.cat(views), sample)
                for views, sample in zip(self._views, self._samples)
            )
        )


class _State:
    """The memory and the version of a parameter."""

    def __init__(self, parameter: torch.Tensor) -> None:
        self._parameter = parameter
        self._address = parameter.data_ptr()
        # Tensors made in inference mode have no version counter, and distributed training
        # overwrites buffers with their own values before each batch.
        self._has_version = (
            isinstance(parameter, torch.nn.Parameter) and not parameter.is_inference()
        )
        self._version = parameter._version if self._has_version else None

    def is_current(self, parameter: torch.Tensor) -> bool:
        return (
            parameter is self._parameter
            and parameter.data_ptr() == self._address
            and (not self._has_version or parameter._version == self._version)
        )


def _sample(parameter: torch.Tensor) -> torch.Tensor:
    stride = 1 + parameter.numel() // SAMPLE_SIZE
    return parameter.detach().as_strided((-(-parameter.numel() // stride),), (stride,))


def _in_groups(tensors: Sequence[torch.Tensor]) -> List[List[torch.Tensor]]:
    """Returns the tensors in groups of one dtype and device."""
    groups: Dict[Tuple[torch.dtype, torch.device], List[torch.Tensor]] = {}
    for tensor in tensors:
        groups.setdefault((tensor.dtype, tensor.device), []).append(tensor)
    return list(groups.values())
