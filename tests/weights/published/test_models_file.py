"""The list of published biLMs is complete and well formed."""

import json
import re
from collections import Counter
from typing import Any, Dict, List
from urllib.parse import urlsplit

import pytest

from allennlp_elmo_plugin.weights.published.catalogue import (
    MODELS_FILE,
    PublishedModel,
    published_models,
)

LISTED: Dict[str, Any] = json.loads(MODELS_FILE.read_text(encoding="utf-8"))
MODELS = list(published_models().values())
FORMATS = {"HDF5", "TF-Hub", "ELMoForManyLangs"}


def _urls(model: PublishedModel) -> List[str]:
    return [url for place in model.addresses for url in place.values()]


def test_all_known_biLMs_are_listed() -> None:
    """The list has AllenNLP's four, the contributed ones, and those of other collections."""
    names = {model.name for model in MODELS}
    assert {"small", "medium", "original", "original-5.5b", "pt", "pubmed", "ja", "de"} <= names
    assert {"eu", "fr", "seqvec", "clinical", "bioelmo", "catelmo"} <= names
    formats = Counter(model.format for model in MODELS)
    # Those of the README of ELMoForManyLangs, and its simplified Chinese.
    assert formats["ELMoForManyLangs"] == 44 + 1


def test_names_are_unique() -> None:
    """No two biLMs have one name, and every collection is used."""
    assert max(Counter(entry["name"] for entry in LISTED["models"]).values()) == 1
    used = {entry.get("collection") for entry in LISTED["models"]}
    assert used - {None} == set(LISTED["collections"])


def test_the_archives_of_nlpl_are_the_44() -> None:
    """Each entry from 136 to 179 of NLPL's repository 1.1 is listed once."""
    urls = [url for model in MODELS for url in _urls(model) if "/repository/11/" in url]
    assert sorted(urls) == [
        f"http://vectors.nlpl.eu/repository/11/{i}.zip" for i in range(136, 180)
    ]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_an_entry_is_well_formed(model: PublishedModel) -> None:
    """Names, sizes, addresses and checksums have their forms, and the table its width."""
    assert re.fullmatch(r"[a-z0-9]+([-.][a-z0-9]+)*", model.name) and len(model.name) <= 15
    assert model.languages and all(len(language) <= 19 for language in model.languages)
    assert model.description and len(model.description) <= 44
    assert model.source and model.format in FORMATS
    assert model.size is None or re.fullmatch(r"\d+x\d+/\d+", model.size)
    assert model.parameters is None or re.fullmatch(r"\d+\.\dM", model.parameters)
    assert model.megabytes is None or 1 < model.megabytes < 10_000
    assert model.addresses or model.by_hand, "neither addresses nor where to get it by hand"
    for place in model.addresses:
        assert set(place) in ({"options", "weights"}, {"archive"})
    for url in _urls(model):
        parts = urlsplit(url)
        assert parts.scheme in ("http", "https") and parts.netloc and parts.path.count("/") >= 1
        assert not re.search(r"[\s{}<>]", url)
    assert len(set(_urls(model))) == len(_urls(model))
    assert set(model.md5) <= {"options", "weights", "archive"}
    assert all(re.fullmatch("[0-9a-f]{32}", digest) for digest in model.md5.values())


@pytest.mark.parametrize("key", ["options_file", "weight_file"])
def test_both_files_can_be_fetched_from_each_place(key: str) -> None:
    """At each place there is an address of the options and one of the weights."""
    for model in MODELS:
        assert len(model.addresses_of(key)) == len(model.addresses)
