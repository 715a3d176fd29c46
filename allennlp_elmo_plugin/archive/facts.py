"""
Facts about components, saved with the weights of a model.

A component is built before its weights are loaded. When the files that it was first built from are
gone, it finds in the archive's weights what it needs. The facts are in PyTorch's metadata of a
state dict, where code that walks a state dict does not meet them.
"""

import inspect
import logging
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.models.archival import get_weights_path
from allennlp.training.checkpointer import Checkpointer

from allennlp_elmo_plugin.io.torch_files import DamagedFileError, is_torch_zip, load_torch_file

__all__ = [
    "COMPONENT",
    "FACTS",
    "checked_numbers",
    "checked_words",
    "facts_of",
    "find_facts",
    "is_extracted_archive",
]

logger = logging.getLogger(__name__)

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
    serialization_dir: Optional[str], component: str, **expected: Optional[str]
) -> Optional[Dict[str, Any]]:
    """
    Searches the weights of an archive or of a training for the facts of a component.

    The values of the facts are what the file says: check them before use.

    # Parameters

    serialization_dir : `Optional[str]`
        The folder that AllenNLP hands to a constructor: an extracted archive or a training.
    component : `str`
        Name of the component.
    expected : `Optional[str]`
        Keys and values that the facts must contain.

    # Returns

    `Optional[Dict[str, Any]]`
        The facts, or `None` where there are none.

    # Raises

    `ConfigurationError`
        If the weights of an archive are damaged or hold objects that `torch.load` refuses. In the
        folder of a training, damaged weights are skipped with a warning.
    """
    if serialization_dir is None:
        return None
    wanted = {COMPONENT: component, **expected}
    for path in _weights(serialization_dir):
        try:
            weights = _read(path)
        except DamagedFileError as error:
            if is_extracted_archive(serialization_dir):
                raise
            logger.warning("%s It is not searched for the facts of '%s'.", error, component)
            continue
        metadata = getattr(weights, "_metadata", None)
        for each in metadata.values() if isinstance(metadata, dict) else ():
            facts = facts_of(each)
            if all(_is_same(facts.get(key), value) for key, value in wanted.items()):
                return facts
    return None


def facts_of(metadata: Any) -> Dict[str, Any]:
    """
    Returns the facts in the metadata of a module, which are empty if there are none.

    # Parameters

    metadata : `Any`
        The metadata of a module in a state dict, which may come from other code.
    """
    facts = metadata.get(FACTS) if isinstance(metadata, dict) else None
    return facts if isinstance(facts, dict) else {}


def checked_words(facts: Dict[str, Any], key: str) -> List[str]:
    """
    Returns a list of words from facts.

    # Parameters

    facts : `Dict[str, Any]`
        The facts.
    key : `str`
        Key of the list.

    # Raises

    `ConfigurationError`
        If the value is not a list of strings.
    """
    words = facts.get(key)
    if not isinstance(words, (list, tuple)):
        raise ConfigurationError(_message(key, "a list of words", _shown(words)))
    for position, word in enumerate(words):
        if type(word) is not str:
            found = f"{_shown(word)} at position {position}"
            raise ConfigurationError(_message(key, "a list of words", found))
    return list(words)


def checked_numbers(facts: Dict[str, Any], key: str, shape: Sequence[int]) -> torch.Tensor:
    """
    Returns a matrix from facts.

    # Parameters

    facts : `Dict[str, Any]`
        The facts.
    key : `str`
        Key of the rows: a list of lists of numbers.
    shape : `Sequence[int]`
        Number of rows and of columns.

    # Returns

    `torch.Tensor`
        Shape (rows, columns), float.

    # Raises

    `ConfigurationError`
        If the value is something else, or has another shape.
    """
    rows = facts.get(key)
    wanted = f"{shape[0]} lists of {shape[1]} numbers"
    if not isinstance(rows, (list, tuple)) or len(rows) != shape[0]:
        raise ConfigurationError(_message(key, wanted, _shown(rows)))
    for row in rows:
        if not isinstance(row, (list, tuple)) or len(row) != shape[1]:
            raise ConfigurationError(_message(key, wanted, f"a row that is {_shown(row)}"))
        for number in row:
            # A bool is an int, and an int of a thousand digits is no float.
            if type(number) is not float and (type(number) is not int or abs(number) > 1 << 53):
                raise ConfigurationError(
                    _message(key, wanted, f"a number that is {_shown(number)}")
                )
    return torch.tensor(rows, dtype=torch.float32)


def _weights(serialization_dir: str) -> Iterator[str]:
    """Yields the files of weights: an archive's, or a training's best and newest ones."""
    path = get_weights_path(serialization_dir)
    if Path(path).is_file():
        yield path
    if not is_extracted_archive(serialization_dir):
        # A kill may have left no best weights, but it left checkpoints.
        checkpointer = Checkpointer(serialization_dir)
        for point in sorted(checkpointer._find_all_checkpoints(), reverse=True):
            yield checkpointer._model_state_path(*point)


def _read(path: str) -> Any:
    # Newer versions of torch need not read the weights. Only files of torch before 1.6, which are
    # older than this plugin, cannot be mapped.
    maps = "mmap" in inspect.signature(torch.load).parameters and is_torch_zip(path)
    # The weights are compared with their checksums when they are loaded.
    return load_torch_file(
        path, checked=False, map_location="cpu", **({"mmap": True} if maps else {})
    )


def _is_same(found: Any, value: Optional[str]) -> bool:
    """Compares without asking a foreign object for its opinion."""
    return found is None if value is None else isinstance(found, str) and found == value


def _shown(value: Any) -> str:
    """Returns a short description of a value, which may be huge."""
    sized = isinstance(value, (str, list, tuple, dict))
    return f"{type(value).__name__} of length {len(value)}" if sized else type(value).__name__


def _message(key: str, wanted: str, found: str) -> str:
    return (
        f"Expected {wanted} as '{key}' in the facts that an archive's weights hold about a "
        f"component, found {found}. The archive was changed or damaged; get it again from its "
        "source."
    )
