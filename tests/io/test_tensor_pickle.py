"""A pickle module that makes tensors and nothing else."""

import inspect
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Dict

import pytest
import torch

from allennlp_elmo_plugin.io.tensor_pickle import TENSOR_PICKLE

OPTIONS: Dict[str, Any] = {"pickle_module": TENSOR_PICKLE}
if "weights_only" in inspect.signature(torch.load).parameters:
    OPTIONS["weights_only"] = False


class Foreign:
    """An object that a state dict does not hold."""


@pytest.mark.parametrize("is_zip", [False, True], ids=["PyTorch 0.4", "zip"])
def test_state_dicts_are_read(tmp_path: Path, is_zip: bool) -> None:
    """The state dict of a module survives in both formats."""
    expected = torch.nn.Linear(3, 2).state_dict()
    torch.save(expected, tmp_path / "x", _use_new_zipfile_serialization=is_zip)
    found = torch.load(tmp_path / "x", **OPTIONS)
    assert list(found) == list(expected)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("is_zip", [False, True], ids=["PyTorch 0.4", "zip"])
@pytest.mark.parametrize(
    "content", [Foreign(), print, torch.nn.Linear(3, 2)], ids=["class", "function", "module"]
)
def test_other_objects_are_refused(tmp_path: Path, content: Any, is_zip: bool) -> None:
    """Classes, functions and whole modules are named and not made."""
    torch.save({"x": content}, tmp_path / "x", _use_new_zipfile_serialization=is_zip)
    with pytest.raises(UnpicklingError, match="is no part of a tensor"):
        torch.load(tmp_path / "x", **OPTIONS)
