"""
Loading a trained model.
"""

import os
from typing import Union

from allennlp.common.checks import ConfigurationError
from allennlp.models import Model
from allennlp.models.archival import load_archive

from allennlp_elmo_plugin.io.find_file import find_file

__all__ = ["load_trained_model"]


def load_trained_model(
    location: Union[str, "os.PathLike[str]"],
    weights_file: Union[str, "os.PathLike[str]", None] = None,
) -> Model:
    """
    Loads a model that AllenNLP trained.

    # Parameters

    location : `Union[str, PathLike]`
        Path or URL of a `model.tar.gz`, or path of the serialization directory of a training.
    weights_file : `Union[str, PathLike]`, optional (default = `None`)
        Path of the weights to use. `None` is for those in the archive.

    # Returns

    `Model`

    # Raises

    `ConfigurationError`
        If there is nothing at the location, if a file is missing in there, or if the archive is
        damaged.
    """
    path = find_file(location, "a model.tar.gz or a serialization directory")
    try:
        # AllenNLP takes `None`, though its types do not say so.
        return load_archive(path, weights_file=weights_file).model  # type: ignore[arg-type]
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"Expected a whole model.tar.gz or serialization directory at '{location}', but a file "
            f"is missing ({error}). Name another, or finish its training."
        ) from error
