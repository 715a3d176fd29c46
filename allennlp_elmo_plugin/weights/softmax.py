"""
Reading and writing the softmax of a biLM, which has a file of its own in the published models.
"""

import os
from pathlib import Path
from typing import Tuple, Union

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.common.file_utils import cached_path

from allennlp_elmo_plugin.io.atomic import write_atomically
from allennlp_elmo_plugin.io.hdf5_files import write_hdf5
from allennlp_elmo_plugin.weights.dataset_file import listed
from allennlp_elmo_plugin.weights.open_datasets import open_datasets

__all__ = ["has_softmax", "read_softmax", "write_softmax"]

WEIGHT, BIAS = "softmax/W", "softmax/b"


def has_softmax(path: Union[str, "os.PathLike[str]"]) -> bool:
    """
    Returns `True` for a file of weights that holds a softmax, as checkpoints of bilm-tf do.

    # Parameters

    path : `Union[str, PathLike]`
        Path of an HDF5 file, or of the index of a TensorFlow checkpoint.

    # Raises

    `ConfigurationError`
        If the file is of another format or is damaged.
    """
    with open_datasets(path, "ELMo weights") as file:
        return WEIGHT in file and BIAS in file


def read_softmax(
    path: Union[str, "os.PathLike[str]"], num_words: int, size: int
) -> Tuple[torch.Tensor, torch.Tensor]:
    """
    Reads the softmax of a biLM.

    # Parameters

    path : `Union[str, PathLike]`
        Path or URL of an HDF5 file with the datasets `softmax/W` and `softmax/b`, or path of the
        index of a TensorFlow checkpoint, in which bilm-tf saves its softmax.
    num_words : `int`
        Size of the vocabulary. Row i of the softmax belongs to word i.
    size : `int`
        `projection_dim` of the biLM.

    # Returns

    `Tuple[torch.Tensor, torch.Tensor]`
        Weight of shape (num_words, size) and bias of shape (num_words,), float32.

    # Raises

    `ConfigurationError`
        If the file is missing, is of another format, is damaged, holds a number that is not finite,
        or does not fit. In the last case the message lists every missing, unreadable and mis-shaped
        dataset.
    """
    try:
        local_path = cached_path(path)
    except Exception as error:
        raise ConfigurationError(
            f"Expected a softmax in a file, but '{path}' cannot be found or downloaded "
            f"({error}). Check the path or URL."
        ) from error
    with open_datasets(local_path, "a softmax") as file:
        problems = file.problems({WEIGHT: (num_words, size), BIAS: (num_words,)})
        if problems:
            raise ConfigurationError(
                f"The softmax in '{path}' does not fit the vocabulary and the biLM:\n  "
                f"{listed(problems)}\n"
                f"Use the vocabulary file and the options file that belong to it. {file.remedy}"
            )
        weight, bias = (torch.from_numpy(file.read(name)).float() for name in (WEIGHT, BIAS))
    return weight, bias


def write_softmax(
    path: Union[str, "os.PathLike[str]"], weight: torch.Tensor, bias: torch.Tensor
) -> None:
    """
    Writes the softmax of a biLM in the layout of the published models.

    # Parameters

    path : `Union[str, PathLike]`
        Path of the file. The file appears in one step, when it is complete.
    weight : `torch.Tensor`
        Shape (num_words, size), float.
    bias : `torch.Tensor`
        Shape (num_words,), float.

    # Raises

    `OSError`
        If the file cannot be written, for example because the disk is full.
    """
    with write_atomically(Path(path)) as partial, write_hdf5(partial) as file:
        for name, tensor in ((WEIGHT, weight), (BIAS, bias)):
            file.create_dataset(name, data=tensor.detach().cpu().float().numpy())
