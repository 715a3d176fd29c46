"""
Finding the biLM of a model.
"""

from typing import Optional, Tuple

from allennlp.common.checks import ConfigurationError
from torch.nn import Module

from allennlp_elmo_plugin.embedder.bilm_encoder import BilmEncoder
from allennlp_elmo_plugin.network.elmo_bilm import ElmoBilm

__all__ = ["find_bilm"]


def find_bilm(model: Module, name: Optional[str] = None) -> Tuple[str, ElmoBilm]:
    """
    Finds the biLM of a model.

    # Parameters

    model : `Module`
        A model that contains an `ElmoBilm`.
    name : `str`, optional (default = `None`)
        Name of the biLM's module, or of a module around it. Required if the model has several
        biLMs.

    # Returns

    `Tuple[str, ElmoBilm]`
        Name of the biLM's module, which may be an encoder around it, and the biLM.

    # Raises

    `ConfigurationError`
        If no biLM has this name, or several have it.
    """
    bilms = {
        found: module if isinstance(module, ElmoBilm) else module.bilm
        for found, module in model.named_modules()
        if isinstance(module, (ElmoBilm, BilmEncoder))
    }
    chosen = [found for found in bilms if f"{found}.".startswith(f"{name or found}.")]
    if len(chosen) != 1:
        expected = "a model with one biLM" if name is None else f"one biLM at '{name}'"
        listed = "\n  ".join(bilms) or "none"
        raise ConfigurationError(
            f"Expected {expected}, got {len(chosen)}. The biLMs of this model are:\n  {listed}\n"
            "Name one of them (on the command line by --module)."
        )
    return chosen[0], bilms[chosen[0]]
