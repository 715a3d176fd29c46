"""
What parts write about themselves into the weights of an archive, so that they can be built again
when the files they were first built from are gone.

It travels as "extra state" in the state dict of a model: as a tensor, since whoever goes through a
state dict expects nothing else there.
"""

import inspect
import json
from pathlib import Path
from typing import Any, Dict, Optional
from zipfile import is_zipfile

import torch
from allennlp.models.archival import get_weights_path

__all__ = ["EXTRA_STATE", "find_extra_state", "is_extracted_archive", "to_extra_state"]

EXTRA_STATE = "_extra_state"
"""The key of a module's extra state in its state dict, as PyTorch has it."""

OURS = "allennlp_elmo_plugin"
WEIGHTS_OF_ARCHIVE = "weights.th"


def to_extra_state(part: str, content: Dict[str, Any]) -> torch.Tensor:
    """
    # Parameters

    part : `str`
        Whose content it is.
    content : `Dict[str, Any]`
        Values that JSON knows.

    # Returns

    `torch.Tensor`
        Shape (bytes,), uint8: the content in JSON.
    """
    return torch.tensor(
        list(json.dumps({OURS: part, **content}).encode("utf-8")), dtype=torch.uint8
    )


def is_extracted_archive(serialization_dir: Optional[str]) -> bool:
    """
    Whether the folder is an archive on its way to be loaded, rather than one of a training.

    # Parameters

    serialization_dir : `Optional[str]`
        What AllenNLP hands to a constructor.
    """
    return (
        serialization_dir is not None and (Path(serialization_dir) / WEIGHTS_OF_ARCHIVE).is_file()
    )


def find_extra_state(
    serialization_dir: Optional[str], part: str, **expected: Any
) -> Optional[Dict[str, Any]]:
    """
    Looks into the weights of an archive, or of a training, for what a part has written.

    # Parameters

    serialization_dir : `Optional[str]`
        What AllenNLP hands to a constructor: the folder of the extracted archive or of a training.
    part : `str`
        Whose content to look for.
    expected :
        Keys and values that the content must have.

    # Returns

    `Optional[Dict[str, Any]]`
        The content, or `None` where there is none.
    """
    if serialization_dir is None:
        return None
    path = get_weights_path(serialization_dir)
    # What torch saved before 1.6 is no zip, and older than this plugin.
    if not is_zipfile(path):
        return None
    # Newer versions of torch need not read the other weights.
    maps = "mmap" in inspect.signature(torch.load).parameters
    weights = torch.load(path, map_location="cpu", **({"mmap": True} if maps else {}))
    for key, value in weights.items():
        if key.endswith(EXTRA_STATE) and isinstance(value, torch.Tensor):
            text = bytes(value.tolist())
            # Other modules may keep extra state of their own.
            content = json.loads(text) if text.startswith(f'{{"{OURS}":'.encode()) else {}
            if {OURS: part, **expected}.items() <= content.items():
                return content
    return None
