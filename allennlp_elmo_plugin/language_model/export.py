"""
Exporting the biLM of a trained model.
"""

import logging
import os
from typing import Optional, Tuple, Union

from allennlp.common.checks import ConfigurationError
from torch.nn import Module

from allennlp_elmo_plugin.embedder.bilm_encoder import BilmEncoder
from allennlp_elmo_plugin.language_model.bidirectional_lm import BidirectionalLm
from allennlp_elmo_plugin.network.elmo_bilm import ElmoBilm

__all__ = ["export_bilm"]

logger = logging.getLogger(__name__)


def export_bilm(
    model: Module, folder: Union[str, "os.PathLike[str]"], name: Optional[str] = None
) -> str:
    """
    Writes the biLM of a model as `options.json` and `weights.hdf5`.

    If the biLM belongs to a `BidirectionalLm`, `softmax.hdf5` and `vocabulary.txt` are written too.

    # Parameters

    model : `Module`
        A model that contains an `ElmoBilm`.
    folder : `Union[str, PathLike]`
        Folder for the files. It is made if it is missing. Files of the same names are replaced.
    name : `str`, optional (default = `None`)
        Name of the biLM's module, or of a module around it. Required if the model has several
        biLMs.

    # Returns

    `str`
        Name of the biLM's module.

    # Raises

    `ConfigurationError`
        If no biLM has this name, or several have it. Nothing is written then.
    """
    found, bilm = _find_bilm(model, name)
    if bilm.precision != "float32":
        logger.warning(
            "The biLM '%s' has the precision '%s'. Its matrices are written as they were rounded.",
            found,
            bilm.precision,
        )
    owner = model.get_submodule(found.rpartition(".")[0])
    # A vocabulary is of use only beside its softmax, so the language model writes both.
    (owner if isinstance(owner, BidirectionalLm) else bilm).to_folder(folder)
    return found


def _find_bilm(model: Module, name: Optional[str]) -> Tuple[str, ElmoBilm]:
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
