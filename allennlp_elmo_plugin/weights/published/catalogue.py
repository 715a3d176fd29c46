"""
The list of published biLMs.
"""

import json
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Tuple

from allennlp.common.checks import ConfigurationError

__all__ = [
    "PUBLISHED",
    "Address",
    "PublishedModel",
    "find_model",
    "published_models",
    "suggestion",
]

PUBLISHED = "published:"
MODELS_FILE = Path(__file__).parent / "models.json"
ARCHIVE = "archive"
MAX_NAME = 100
PARTS = {"options_file": "options", "weight_file": "weights"}
"""Name of a file in the list, by its key in a config."""


class Address(NamedTuple):
    """
    An address of a file.

    # Parameters

    url : `str`
        The URL.
    part : `str`
        Contents of the file: `"options"`, `"weights"`, or both as an `"archive"`.
    """

    url: str
    part: str


class PublishedModel(NamedTuple):
    """
    A published biLM. Facts that are not known are empty or `None`.

    # Parameters

    name : `str`
        Its name, which follows `published:`.
    description : `str`
        Text that it was trained on.
    languages : `Tuple[str, ...]`
        Languages of that text.
    source : `str`
        Origin of these facts.
    addresses : `Tuple[Dict[str, str], ...]`
        URLs of the parts at each place, in order of preference. Without one, the files must be
        fetched by hand.
    md5 : `Dict[str, str]`
        Checksums of the parts.
    format : `str`
        Format of the files.
    size : `Optional[str]`
        Number of layers, size of the LSTM cells, and size of their output.
    parameters : `Optional[str]`
        Number of parameters.
    megabytes : `Optional[int]`
        Size of the download.
    by_hand : `Optional[str]`
        Other places.
    citation, licence : `Optional[str]`
        Paper to cite, and licence.
    """

    name: str
    description: str
    languages: Tuple[str, ...]
    source: str
    addresses: Tuple[Dict[str, str], ...] = ()
    md5: Mapping[str, str] = {}
    format: str = "HDF5"
    size: Optional[str] = None
    parameters: Optional[str] = None
    megabytes: Optional[int] = None
    by_hand: Optional[str] = None
    citation: Optional[str] = None
    licence: Optional[str] = None

    def addresses_of(self, key: str) -> List[Address]:
        """
        Returns the addresses from which a file can be fetched.

        # Parameters

        key : `str`
            `"options_file"` or `"weight_file"`.
        """
        parts = (PARTS[key], ARCHIVE)
        return [Address(at[part], part) for at in self.addresses for part in parts if part in at]


def find_model(name: str) -> PublishedModel:
    """
    Finds a published biLM.

    # Parameters

    name : `str`
        Its name.

    # Raises

    `ConfigurationError`
        If there is none of that name. The error suggests similar names, or those of the language
        that was named.
    """
    models = published_models()
    if name in models:
        return models[name]
    language = name.capitalize()
    spoken = [model.name for model in models.values() if language in model.languages]
    hint = suggestion(name, models, PUBLISHED)
    if spoken:
        hint = f" For {language} there is {', '.join(PUBLISHED + each for each in spoken)}."
    raise ConfigurationError(
        f"There is no published biLM '{PUBLISHED}{name[:MAX_NAME]}'.{hint} The command "
        "'allennlp elmo-models' lists all."
    )


@lru_cache(maxsize=1)
def published_models() -> Dict[str, PublishedModel]:
    """
    Returns the published biLMs by their names, in the order of the list.
    """
    listed = json.loads(MODELS_FILE.read_text(encoding="utf-8"))
    collections: Dict[str, Dict[str, Any]] = listed["collections"]
    models = {}
    for entry in listed["models"]:
        facts = {**collections.get(entry.pop("collection", ""), {}), **entry}
        for key in ("languages", "addresses"):
            facts[key] = tuple(facts[key])
        models[facts["name"]] = PublishedModel(**facts)
    return models


def suggestion(name: str, names: Iterable[str], prefix: str) -> str:
    """
    Describes the names that are similar to a misspelt one.

    # Parameters

    name : `str`
        The misspelt name.
    names : `Iterable[str]`
        The names that exist.
    prefix : `str`
        Text before each name.

    # Returns

    `str`
        A question that begins with a space, or nothing if no name is similar.
    """
    similar = get_close_matches(name[:MAX_NAME].lower(), list(names), n=3)
    listed = " or ".join(f"'{prefix}{each}'" for each in similar)
    return f" Did you mean {listed}?" if similar else ""
