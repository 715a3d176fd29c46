"""
Exporting the biLM of a trained model.
"""

import logging
import os
from typing import Optional, Union

from torch.nn import Module

from allennlp_elmo_plugin.embedder.find_bilm import find_bilm
from allennlp_elmo_plugin.language_model.bidirectional_lm import BidirectionalLm
from allennlp_elmo_plugin.network.elmo_bilm import ElmoBilm

__all__ = ["export_bilm", "warn_of_rounding"]

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
    found, bilm = find_bilm(model, name)
    warn_of_rounding(bilm, found)
    owner = model.get_submodule(found.rpartition(".")[0])
    # A vocabulary is of use only beside its softmax, so the language model writes both.
    (owner if isinstance(owner, BidirectionalLm) else bilm).to_folder(folder)
    return found


def warn_of_rounding(bilm: ElmoBilm, name: str) -> None:
    """
    Logs a warning if the weights of a biLM are rounded, before they are written.

    # Parameters

    bilm : `ElmoBilm`
        The biLM.
    name : `str`
        Its name in the log.
    """
    if bilm.precision != "float32":
        logger.warning(
            "The biLM '%s' has the precision '%s'. Its matrices are written as they were rounded.",
            name,
            bilm.precision,
        )
