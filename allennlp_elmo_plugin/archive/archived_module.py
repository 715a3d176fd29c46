"""
A module that can be built from an archive when its files are gone.
"""

from typing import Any, Dict

import torch

from allennlp_elmo_plugin.archive.facts import COMPONENT, FACTS

__all__ = ["ArchivedModule"]


class ArchivedModule:
    """
    A mixin for modules whose state dict also holds the facts that they were built from.

    Subclasses set `component` and implement `archived_facts`. Their constructors read the facts
    back with `find_facts`.
    """

    component: str
    """Name that the facts are saved under."""

    def archived_facts(self) -> Dict[str, Any]:
        """Returns the facts: values that JSON can hold."""
        raise NotImplementedError(f"{type(self).__name__} has no facts to save")

    def _save_to_state_dict(
        self, destination: Dict[str, torch.Tensor], prefix: str, keep_vars: bool
    ) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)  # type: ignore[misc]
        # PyTorch writes none to a dictionary of the caller's own that has no metadata.
        metadata = getattr(destination, "_metadata", {}).get(prefix[: -len(".")])
        if metadata is not None:
            metadata[FACTS] = {COMPONENT: self.component, **self.archived_facts()}
