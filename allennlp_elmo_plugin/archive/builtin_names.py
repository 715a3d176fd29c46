"""
The names of weights in archives of AllenNLP's built-in embedder.
"""

from typing import Dict, Iterable, Mapping

import torch

__all__ = ["builtin_embedder_names", "rename_weights"]

BUILTIN_SCALAR_MIX = "_elmo.scalar_mix_0."
BUILTIN_BILM = "_elmo._elmo_lstm."


def builtin_embedder_names(scalar_mix: Iterable[str], encoder: Mapping[str, str]) -> Dict[str, str]:
    """
    Maps the names of the built-in embedder's weights to those of `ElmoTokenEmbedder`.

    # Parameters

    scalar_mix : `Iterable[str]`
        Names of the weights in the scalar mix, which are the same on both sides.
    encoder : `Mapping[str, str]`
        From each name in AllenNLP's `_ElmoBiLm` to the name in the encoder.

    # Returns

    `Dict[str, str]`
    """
    names = {BUILTIN_SCALAR_MIX + name: f"scalar_mix.{name}" for name in scalar_mix}
    names.update((BUILTIN_BILM + builtin, f"_encoder.{name}") for builtin, name in encoder.items())
    return names


def rename_weights(
    state_dict: Dict[str, torch.Tensor], prefix: str, names: Mapping[str, str]
) -> None:
    """
    Renames weights in place.

    # Parameters

    state_dict : `Dict[str, torch.Tensor]`
        A state dict. Names that it does not hold are skipped.
    prefix : `str`
        Prefix of all names.
    names : `Mapping[str, str]`
        From old names to new ones.
    """
    for old, new in names.items():
        if prefix + old in state_dict:
            state_dict[prefix + new] = state_dict.pop(prefix + old)
