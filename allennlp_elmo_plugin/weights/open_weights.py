"""
Opening the weights of a biLM, whatever their format.
"""

import os
from pathlib import Path
from typing import Tuple, Union

from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.network.options import ElmoOptions
from allennlp_elmo_plugin.weights.hdf5 import WeightFile
from allennlp_elmo_plugin.weights.locations import find_options_file, find_weight_file
from allennlp_elmo_plugin.weights.many_langs import (
    ManyLangsWeights,
    is_many_langs,
    many_langs_options,
)
from allennlp_elmo_plugin.weights.tensorflow import checkpoint_options, is_checkpoint

__all__ = ["open_weights", "read_options"]


def open_weights(
    options_file: Union[str, "os.PathLike[str]"], weight_file: Union[str, "os.PathLike[str]"]
) -> Union[WeightFile, ManyLangsWeights]:
    """
    Finds and opens the two files of a biLM.

    # Parameters

    options_file : `Union[str, PathLike]`
        Options file: a path, a URL, a folder or archive that holds it, or a name. Or a file from
        which the options can be read; see `read_options`.
    weight_file : `Union[str, PathLike]`
        HDF5 file of the weights, index of a TensorFlow checkpoint, or `encoder.pkl` of an
        ELMoForManyLangs model: a path, a URL, a folder or archive that holds it, or a name.

    # Returns

    `Union[WeightFile, ManyLangsWeights]`
        The weights, and the options that belong to them. Use it as a context manager.

    # Raises

    `ConfigurationError`
        When a file is missing, damaged, does not fit the other, or is replaced meanwhile.
    """
    options_path = find_options_file(options_file)
    if is_many_langs(options_path):
        return ManyLangsWeights(options_path, find_weight_file(weight_file))
    version = _version_of(options_path)
    options = read_options(options_path)
    weights = WeightFile(find_weight_file(weight_file), options)
    # `ElmoBilm.to_folder` replaces the options before and after the weights.
    if _version_of(options_path) != version:
        weights.close()
        raise ConfigurationError(
            f"The options file '{options_path}' was replaced while the weights were opened, so the "
            "two may not belong together. Load them again."
        )
    return weights


def read_options(path: Path) -> ElmoOptions:
    """
    Reads the options of a biLM.

    # Parameters

    path : `Path`
        Path that `find_options_file` returned: an options file, the index of a TensorFlow
        checkpoint, or a file of an ELMoForManyLangs model.

    # Raises

    `ConfigurationError`
        If the file is damaged, or if the options do not fit each other.
    """
    if is_checkpoint(path):
        return checkpoint_options(path)
    return many_langs_options(path.parent) if is_many_langs(path) else ElmoOptions.from_file(path)


def _version_of(path: Path) -> Tuple[int, ...]:
    """Returns numbers that differ between a file and one that replaces it."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return ()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
