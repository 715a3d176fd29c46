"""
Extra state, which saves facts about a component with the weights of a model.

A component is built before its weights are loaded. When the files that it was first built from are
gone, it finds in the archive's weights what it needs. The facts travel in a state dict as a tensor,
since code that walks a state dict expects nothing else.
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
"""PyTorch's key of a module's extra state in its state dict."""

OURS = "allennlp_elmo_plugin"
WEIGHTS_OF_ARCHIVE = "weights.th"


def to_extra_state(component: str, facts: Dict[str, Any]) -> torch.Tensor:
    """
    Encodes facts about a component.

    # Parameters

    component : `str`
        Name of the component.
    facts : `Dict[str, Any]`
        Values that JSON can hold.

    # Returns

    `torch.Tensor`
        Shape (bytes,), uint8: the facts in JSON.
    """
    text = json.dumps({OURS: component, **facts})
    return torch.tensor(list(text.encode("utf-8")), dtype=torch.uint8)


def is_extracted_archive(serialization_dir: Optional[str]) -> bool:
    """
    Returns `True` for an archive that is being loaded, `False` for the folder of a training.

    # Parameters

    serialization_dir : `Optional[str]`
        The folder that AllenNLP hands to a constructor.

    # Returns

    `bool`
        `True` for an extracted archive.
    """
    return (
        serialization_dir is not None and (Path(serialization_dir) / WEIGHTS_OF_ARCHIVE).is_file()
    )


def find_extra_state(
    serialization_dir: Optional[str], component: str, **expected: Any
) -> Optional[Dict[str, Any]]:
    """
    Searches the weights of an archive or of a training for the facts of a component.

    # Parameters

    serialization_dir : `Optional[str]`
        The folder that AllenNLP hands to a constructor: an extracted archive or a training.
    component : `str`
        Name of the component.
    expected :
        Keys and values that the facts must contain.

    # Returns

    `Optional[Dict[str, Any]]`
        The facts, or `None` where there are none.
    """
    if serialization_dir is None:
        return None
    path = get_weights_path(serialization_dir)
    # Files of torch before 1.6 are no zip, and older than this plugin.
    if not is_zipfile(path):
        return None
    # Newer versions of torch need not read the other weights.
    maps = "mmap" in inspect.signature(torch.load).parameters
    weights = torch.load(path, map_location="cpu", **({"mmap": True} if maps else {}))
    for key, value in weights.items():
        if key.endswith(EXTRA_STATE) and isinstance(value, torch.Tensor):
            text = bytes(value.tolist())
            # Other modules may have extra state of their own.
            facts = json.loads(text) if text.startswith(f'{{"{OURS}":'.encode()) else {}
            if {OURS: component, **expected}.items() <= facts.items():
                return facts
    return None
