"""
What is made of parameters once and used until they change.
"""

from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, TypeVar

import torch

__all__ = ["DerivedCache"]

T = TypeVar("T")

SAMPLES = 64


class DerivedCache:
    """
    Keeps things that are made of parameters. Pickles and deep copies of it are empty.

    A change of a parameter is noticed by its version; one through `parameter.data`, which leaves
    that as it was, and one of a buffer by a sample of its numbers.
    """

    def __init__(self) -> None:
        self._copies: Dict[str, _Copy] = {}

    def get(self, name: str, parameters: Sequence[torch.Tensor], make: Callable[[], T]) -> T:
        """
        # Parameters

        name : `str`
            What the thing is called.
        parameters : `Sequence[torch.Tensor]`
            What it is made of.
        make : `Callable[[], T]`
            Makes it.

        # Returns

        `T`
            What `make` gave when these parameters were last seen to be new or changed.
        """
        copy = self._copies.get(name)
        if copy is None or not copy.is_of(parameters):
            copy = self._copies[name] = _Copy(parameters, make())
        return copy.value

    def values(self) -> List[Any]:
        """What is kept now, of parameters that may have changed since."""
        return [copy.value for copy in self._copies.values()]

    def clear(self) -> None:
        """Frees them all."""
        self._copies.clear()

    def __reduce__(self) -> Tuple[Any, ...]:
        return type(self), ()


class _Copy:
    def __init__(self, parameters: Sequence[torch.Tensor], value: Any) -> None:
        self.value = value
        self._identities = [_identity(parameter) for parameter in parameters]
        # Some optimizers write to `parameter.data`, which leaves its version as it was.
        self._views = [_sample(parameter) for parameter in parameters]
        self._samples = [view.clone() for view in self._views]

    def is_of(self, parameters: Sequence[torch.Tensor]) -> bool:
        # As long as a parameter keeps its memory, the view shows what is in it now.
        return self._identities == [_identity(parameter) for parameter in parameters] and all(
            torch.equal(sample, view) for sample, view in zip(self._samples, self._views)
        )


def _identity(parameter: torch.Tensor) -> Tuple[int, Optional[int], torch.dtype, torch.device]:
    # What was made in inference mode has no version, and before each batch of a distributed
    # training buffers are overwritten with what they hold.
    is_parameter = isinstance(parameter, torch.nn.Parameter) and not parameter.is_inference()
    version = parameter._version if is_parameter else None
    return parameter.data_ptr(), version, parameter.dtype, parameter.device


def _sample(parameter: torch.Tensor) -> torch.Tensor:
    step = 1 + parameter.numel() // SAMPLES
    return parameter.detach().as_strided((-(-parameter.numel() // step),), (step,))
