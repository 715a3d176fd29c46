"""
The parameters that the arrays of a damaged or odd file must become.
"""

from pathlib import Path
from typing import Dict, Mapping

import h5py
import numpy
import torch

from allennlp_elmo_plugin import ElmoBilm
from reliability.fuzz.kind import require

__all__ = ["all_finite", "require_equal", "restored"]

Arrays = Mapping[str, numpy.ndarray]


def restored(arrays: Arrays, options_file: str, folder: Path) -> Dict[str, torch.Tensor]:
    """
    Returns the parameters of a biLM whose datasets are given.

    # Parameters

    arrays : `Mapping[str, numpy.ndarray]`
        Datasets by name, of any float type.
    options_file : `str`
        Path of the options.
    folder : `Path`
        Folder for a plain file with these datasets.

    # Returns

    `Dict[str, torch.Tensor]`
        State dict.
    """
    path = folder / "plain.hdf5"
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array.astype(array.dtype.newbyteorder("=")))
    return ElmoBilm.from_files(options_file, path).state_dict()


def all_finite(arrays: Arrays) -> bool:
    """Returns `True` when every number stays finite in float32."""
    with numpy.errstate(over="ignore"):
        return all(numpy.isfinite(array.astype("float32")).all() for array in arrays.values())


def require_equal(found: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor]) -> None:
    """
    Raises an error unless two state dicts are equal.

    # Parameters

    found, expected : `Mapping[str, torch.Tensor]`
        State dicts.

    # Raises

    `WrongResult`
        When a name, a shape or a number differs.
    """
    require(found.keys() == expected.keys(), "the parameters have other names")
    for name, tensor in expected.items():
        require(found[name].shape == tensor.shape, f"a parameter has another shape: {name}")
        require(torch.equal(found[name], tensor), f"a parameter has other numbers: {name}")
