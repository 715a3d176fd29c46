"""
Opening a file of weights, whatever its format.
"""

import os
from typing import Union

from allennlp_elmo_plugin.weights.checked_hdf5 import CheckedHdf5File
from allennlp_elmo_plugin.weights.dataset_file import DatasetFile
from allennlp_elmo_plugin.weights.tensorflow import CheckpointFile, is_checkpoint

__all__ = ["open_datasets"]


def open_datasets(path: Union[str, "os.PathLike[str]"], contents: str) -> DatasetFile:
    """
    Opens an HDF5 file or a TensorFlow checkpoint.

    # Parameters

    path : `Union[str, PathLike]`
        Path of the HDF5 file or of the checkpoint's index, whose name ends in `.index`.
    contents : `str`
        Contents that are expected, for the errors.

    # Raises

    `ConfigurationError`
        If the file is not a regular file, is of another format, or is damaged.
    """
    return (
        CheckpointFile(path, contents) if is_checkpoint(path) else CheckedHdf5File(path, contents)
    )
