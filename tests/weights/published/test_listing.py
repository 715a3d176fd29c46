"""The table of published biLMs, and the description of one."""

from pathlib import Path
from typing import Any

import pytest
from allennlp.common import file_utils
from allennlp.common.checks import ConfigurationError
from cached_path import resource_to_filename

from allennlp_elmo_plugin.weights.published.catalogue import find_model, published_models
from allennlp_elmo_plugin.weights.published.listing import describe_model, list_models


@pytest.fixture(name="cache", autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(file_utils, "CACHE_DIRECTORY", str(tmp_path))
    return tmp_path


def _put(cache: Path, url: str, size: int) -> Path:
    path = cache / f"{resource_to_filename(url)}.1a2b"
    path.write_bytes(bytes(size))
    return path


def test_every_biLM_has_a_line() -> None:
    """The table fits into 100 columns."""
    lines = list_models().splitlines()
    names = [line.split()[0] for line in lines[1 : len(published_models()) + 1]]
    assert names == list(published_models())
    assert max(map(len, lines[: len(names) + 1])) <= 100
    assert f"{len(names)} of {len(names)} published biLMs; 0 are in the cache" in lines[-2]


@pytest.mark.parametrize("search", ["german", "MANY-LANGS-DE", "11/142"])
def test_a_search_finds_names_languages_and_texts(search: str) -> None:
    """Lines that do not contain the text are left out."""
    table = list_models(search)
    assert "many-langs-de" in table and "original" not in table


def test_what_is_in_the_cache_has_its_size(cache: Path) -> None:
    """The table has the size of both files, and the description has their paths."""
    place = find_model("original").addresses[1]
    paths = [_put(cache, place["options"], 1000), _put(cache, place["weights"], 5 << 20)]
    (line,) = (line for line in list_models().splitlines() if line.startswith("original "))
    assert line.split()[3] == "5.0M"
    assert "1 are in the cache" in list_models()
    assert all(str(path) in describe_model("original") for path in paths)


def test_a_description_has_all_facts() -> None:
    """Addresses and checksums are in one piece, and both ways of use are shown."""
    text = describe_model("seqvec")
    model: Any = find_model("seqvec")
    for fact in (model.licence, model.citation, *model.md5.values()):
        assert fact in text
    assert all(f" {url}\n" in text for place in model.addresses for url in place.values())
    assert "--model published:seqvec" in text and "options_file: 'published:seqvec'" in text
    assert "not yet" in text


def test_a_biLM_to_be_fetched_by_hand_says_so() -> None:
    """Table and description say where it is."""
    (line,) = (line for line in list_models("bioelmo").splitlines() if line.startswith("bioelmo"))
    text = describe_model("bioelmo")
    assert "by hand" in line and "drive.google.com" in text
    assert "--model PATH" in text and "options_file: 'PATH'" in text


def test_an_unknown_name_is_an_error() -> None:
    """It gets a suggestion."""
    with pytest.raises(ConfigurationError, match="Did you mean 'published:small'"):
        describe_model("smal")


def test_a_dictionary_is_for_the_indexer_too() -> None:
    """The usage of an ELMoForManyLangs model names the indexer; that of another does not."""
    assert "'elmo_characters'" in describe_model("many-langs-ca")
    assert "'elmo_characters'" not in describe_model("small")
