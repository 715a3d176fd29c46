"""
A module that can be built from an archive when its files are gone.
"""

from typing import Any, Dict

import torch

from allennlp_elmo_plugin.archive.extra_state import EXTRA_STATE, to_extra_state

__all__ = ["ArchivedModule"]


class ArchivedModule:
    """
    A mixin for modules whose state dict also holds the facts that they were built from.

    Subclasses set `component` and implement `archived_facts`. Their constructors read the facts
    back with `find_extra_state`.
    """

    component: str
    """Name that the facts are saved under."""

    def archived_facts(self) -> Dict[str, Any]:
        """Returns the facts: values that JSON can hold."""
        raise NotImplementedError(f"{type(self).__name__} has no facts to save")

    def get_extra_state(self) -> torch.Tensor:
        """
        Encodes the facts for the state dict.

        # Returns

        `torch.Tensor`
            Shape (bytes,), uint8.
        """
        return to_extra_state(self.component, self.archived_facts())

    def set_extra_state(self, state: torch.Tensor) -> None:
        """Does nothing: the facts were needed when the module was built."""

    def _load_from_state_dict(
        self, state_dict: Dict[str, torch.Tensor], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        # Archives of AllenNLP's built-in have none.
        state_dict.setdefault(prefix + EXTRA_STATE, self.get_extra_state())
        super()._load_from_state_dict(  # type: ignore[misc]
            state_dict, prefix, *args, **kwargs
        )
