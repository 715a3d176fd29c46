"""
The softmax of a biLM on disk, in a file of its own, as the published ELMo models have it.
"""

import os
from pathlib import Path
from typing import Tuple, Union

import h5py
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.common.file_utils import cached_path

from allennlp_elmo_plugin.io.atomic import write_atomically
from allennlp_elmo_plugin.weights.hdf5 import read_array

__all__ = ["read_softmax", "write_softmax"]

WEIGHT, BIAS = "softmax/W", "softmax/b"


def read_softmax(
    path: Union[str, "os.PathLike[str]"], num_words: int, size: int
) -> Tuple[torch.Tensor, torch.Tensor]:
    """
    # Parameters

    path : `Union[str, PathLike]`
        A path, or a URL that `cached_path` understands, of an HDF5 file with the datasets
        `softmax/W` and `softmax/b`.
    num_words : `int`
        The size of the vocabulary. WeightRow i belongs to its word i.
    size : `int`
        The `projection_dim` of the biLM.

    # Returns

    `Tuple[torch.Tensor, torch.Tensor]`
        The weight, of shape (num_words, size), and the bias, of shape (num_words,), float32.

    # Raises

    `ConfigurationError`
        When the file is missing, is no HDF5 file, or does not fit; every dataset at fault is
        listed.
    """
    try:
        file = h5py.File(cached_path(path), "r")
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"Expected a softmax in HDF5, but '{path}' cannot be read ({error})."
        ) from error
    with file:
        problems = []
        for name, shape in ((WEIGHT, (num_words, size)), (BIAS, (num_words,))):
            dataset = file.get(name)
            if not isinstance(dataset, h5py.Dataset):
                problems.append(f"missing: {name}, expected shape {shape}")
            elif dataset.shape != shape:
                problems.append(f"mis-shaped: {name}, expected {shape}, got {dataset.shape}")
        if problems:
            raise ConfigurationError(
                f"The softmax in '{path}' does not fit the vocabulary and the biLM:\n  "
                + "\n  ".join(problems)
                + "\nGive the vocabulary file and the options file that belong to it."
            )
        weight, bias = (torch.from_numpy(read_array(file[name])).float() for name in (WEIGHT, BIAS))
    return weight, bias


def write_softmax(
    path: Union[str, "os.PathLike[str]"], weight: torch.Tensor, bias: torch.Tensor
) -> None:
    """
    # Parameters

    path : `Union[str, PathLike]`
        Where the file is to be. It is replaced in one step when it is complete.
    weight : `torch.Tensor`
        Shape (num_words, size), float.
    bias : `torch.Tensor`
        Shape (num_words,), float.
    """
    with write_atomically(Path(path)) as partial, h5py.File(partial, "w") as file:
        for name, tensor in ((WEIGHT, weight), (BIAS, bias)):
            file.create_dataset(name, data=tensor.detach().cpu().float().numpy())
