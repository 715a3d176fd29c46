"""
Shapes of biLM to measure: two published ones, with random weights.
"""

import os
from pathlib import Path
from typing import Dict, Union

import torch

from allennlp_elmo_plugin import ElmoBilm, ElmoOptions

__all__ = ["SHAPES", "write_model"]

FILTERS = ((1, 32), (2, 32), (3, 64), (4, 128), (5, 256), (6, 512), (7, 1024))

# The smallest shape comes first.
SHAPES: Dict[str, ElmoOptions] = {
    "2x1024_128": ElmoOptions(
        filters=FILTERS,
        num_highways=1,
        projection_dim=128,
        cell_size=1024,
        num_layers=2,
        cell_clip=3.0,
        proj_clip=3.0,
    ),
    "2x4096_512": ElmoOptions(
        filters=FILTERS,
        num_highways=2,
        projection_dim=512,
        cell_size=4096,
        num_layers=2,
        cell_clip=3.0,
        proj_clip=3.0,
    ),
}


def write_model(shape: str, folder: Union[str, "os.PathLike[str]"]) -> Path:
    """
    Writes a biLM with random weights, which are the same at every call.

    # Parameters

    shape : `str`
        Key of `SHAPES`.
    folder : `Union[str, PathLike]`
        Folder in which a folder named `shape` is created.

    # Returns

    `Path`
        Folder with `options.json` and `weights.hdf5`.
    """
    torch.manual_seed(0)
    path = Path(folder) / shape
    ElmoBilm(SHAPES[shape]).to_folder(path)
    return path
