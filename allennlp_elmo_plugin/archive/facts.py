"""
Facts about components, saved with the weights of a model.

A component is built before its weights are loaded. When the files that it was first built from are
gone, it finds in the archive's weights what it needs. The facts are in PyTorch's metadata of a
state dict, where code that walks a state dict does not meet them.
"""

import inspect
from pathlib import Path
from typing import Any, Dict, Optional
from zipfile import is_zipfile

import torch
from allennlp.models.archival import get_weights_path

__all__ = ["COMPONENT", "FACTS", "find_facts", "is_extracted_archive"]

FACTS = "allennlp_elmo_plugin"
"""Key of a component's facts in the metadata of its module."""

COMPONENT = "component"
"""Key of a component's name in its facts."""

WEIGHTS_OF_ARCHIVE = "weights.th"


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


def find_facts(
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
    # Newer versions of torch need not read the weights.
    maps = "mmap" in inspect.signature(torch.load).parameters
    weights = torch.load(path, map_location="cpu", **({"mmap": True} if maps else {}))
    for metadata in getattr(weights, "_metadata", {}).values():
        facts = metadata.get(FACTS, {})
        if {COMPONENT: component, **expected}.items() <= facts.items():
            return facts
    return None
