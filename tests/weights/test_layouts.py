"""Published layouts: each is opened and embedded as the same biLM in a plain folder."""

from pathlib import Path
from typing import Any, List

import numpy
import pytest
import torch
from allennlp.common import file_utils
from cached_path.schemes import hf

from allennlp_elmo_plugin import ElmoBilm, ElmoExtractor
from allennlp_elmo_plugin.weights.many_langs import options as many_langs_options
from tests.support.layouts import LAYOUTS, PublishedBilm, hub_snapshot
from tests.support.many_langs_files import CASES

SENTENCES = [["the", "rain", "caf\u00e9", "over-" * 12], ["M"], ["\u96e8", "."]]


@pytest.fixture(name="layout", params=LAYOUTS)
def _layout(request: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PublishedBilm:
    monkeypatch.setattr(file_utils, "CACHE_DIRECTORY", str(tmp_path / "cache"))
    # The hub has no file of that name, but a repository.
    monkeypatch.setattr(hf.hf_hub, "hf_hub_download", _no_such_file)
    monkeypatch.setattr(
        hf.hf_hub, "snapshot_download", lambda *_, **__: str(hub_snapshot(tmp_path))
    )
    # A small biLM in place of the published sizes.
    monkeypatch.setattr(many_langs_options, "SHIPPED", CASES["plain"].config)
    return LAYOUTS[request.param](tmp_path)


def _no_such_file(**_: Any) -> str:
    raise ValueError("no such file")


def _embed(*locations: Any) -> List[numpy.ndarray]:
    return ElmoExtractor.load(*locations, initial_state="zero").embed(SENTENCES)


def test_a_layout_is_opened(layout: PublishedBilm) -> None:
    """Its parameters are those of the plain folder, to the bit."""
    found = ElmoBilm.from_files(layout.options, layout.weights)
    expected = ElmoBilm.from_files(layout.plain, layout.plain)
    assert found.options == expected.options
    assert list(found.state_dict()) == list(expected.state_dict())
    for name, tensor in expected.state_dict().items():
        assert torch.equal(found.state_dict()[name], tensor), name


def test_a_layout_is_embedded(layout: PublishedBilm) -> None:
    """Its vectors are those of the plain folder, to the bit."""
    is_one = layout.options == layout.weights
    found = _embed(layout.options, None if is_one else layout.weights)
    for one, other in zip(found, _embed(layout.plain)):
        assert one.shape == other.shape and numpy.array_equal(one, other)
